//! (stand-in until the pod room has it)

pub(super) struct ImageRef(String);

impl ImageRef {
    pub(super) fn parse(text: &str) -> Result<ImageRef, String> {
        let bad = text.is_empty()
            || text
                .chars()
                .any(|c| c.is_ascii_uppercase() || c.is_whitespace());
        if bad {
            Err("invalid reference format".into())
        } else {
            Ok(ImageRef(text.into()))
        }
    }

    fn split(&self) -> (&str, Option<&str>) {
        if let Some((repo, digest)) = self.0.split_once('@') {
            return (repo, Some(digest));
        }
        match self.0.rsplit_once(':') {
            Some((repo, tag)) if !tag.contains('/') => (repo, Some(tag)),
            _ => (&self.0, None),
        }
    }

    pub(super) fn with_default_tag(&self) -> String {
        match self.split() {
            (repo, None) => format!("{repo}:latest"),
            _ => self.0.clone(),
        }
    }

    pub(super) fn repository(&self) -> String {
        self.split().0.into()
    }

    pub(super) fn version(&self) -> String {
        self.split().1.unwrap_or("latest").into()
    }
}
