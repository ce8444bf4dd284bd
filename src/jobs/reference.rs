//! Image names, read as Docker reads them.
//!
//! Source: distribution/reference ParseNormalizedNamed; kubelet `image_manager.go` for the default tag.

/// An image's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageRef {
    given: String,
    is_bare: bool,
    repository: String,
    version: String,
}

impl ImageRef {
    /// Reads a name.
    ///
    /// # Errors
    /// Docker's words for what is wrong with it.
    pub(super) fn parse(image: &str) -> Result<ImageRef, &'static str> {
        let (rest, digest) = match image.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (image, None),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        let is_id = path.len() == 64 && path.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id {
            return Err("cannot specify 64-byte hexadecimal strings");
        }
        let (domain, inner) = match path.split_once('/') {
            Some((first, inner)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, inner.to_owned())
            }
            Some(_) => ("docker.io", path.to_owned()),
            None => ("docker.io", format!("library/{path}")),
        };
        let domain = if domain == "index.docker.io" {
            "docker.io"
        } else {
            domain
        };
        if inner.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err("repository name must be lowercase");
        }
        let part_is_fine = |part: &str| {
            let ends = [part.bytes().next(), part.bytes().last()];
            ends.iter()
                .all(|end| end.is_some_and(|b| b.is_ascii_alphanumeric()))
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let tag_is_fine = |tag: &str| {
            (1..=128).contains(&tag.len())
                && !tag.starts_with(['.', '-'])
                && tag
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let digest_is_fine = |digest: &str| {
            digest.split_once(':').is_some_and(|(kind, hex)| {
                !kind.is_empty() && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
            })
        };
        let host = domain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        if !host
            || !inner.split('/').all(part_is_fine)
            || !tag.is_none_or(tag_is_fine)
            || !digest.is_none_or(digest_is_fine)
        {
            return Err("invalid reference format");
        }
        Ok(ImageRef {
            given: image.to_owned(),
            is_bare: digest.or(tag).is_none(),
            repository: format!("{domain}/{inner}"),
            version: digest.or(tag).unwrap_or("latest").to_owned(),
        })
    }

    /// As it was given, with `:latest` where it has neither tag nor digest.
    pub(super) fn with_default_tag(&self) -> String {
        let tag = if self.is_bare { ":latest" } else { "" };
        format!("{}{tag}", self.given)
    }

    /// The repository in full: `docker.io/library/nginx`.
    pub(super) fn repository(&self) -> String {
        self.repository.clone()
    }

    /// The digest, else the tag, else `latest`.
    pub(super) fn version(&self) -> String {
        self.version.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_full() {
        let hex = "a".repeat(64);
        let cases = [
            ("nginx", "docker.io/library/nginx", "latest"),
            ("a/b:1", "docker.io/a/b", "1"),
            ("r.io:5000/b", "r.io:5000/b", "latest"),
            ("localhost/b:2", "localhost/b", "2"),
            ("index.docker.io/library/x:1", "docker.io/library/x", "1"),
        ];
        for (image, repository, version) in cases {
            let name = ImageRef::parse(image).unwrap();
            let found = (name.repository.as_str(), name.version.as_str());
            assert_eq!(found, (repository, version), "{image}");
        }
        let digest = format!("sha256:{hex}");
        let both = ImageRef::parse(&format!("x:1@{digest}")).unwrap();
        assert_eq!(both.version, digest);
        for image in ["", "Nginx", &hex, "a//b", "a:", "a b", "x@sha256:1"] {
            assert!(ImageRef::parse(image).is_err(), "{image}");
        }
    }

    #[test]
    fn latest_is_added_to_what_has_neither() {
        let full = |image| ImageRef::parse(image).unwrap().with_default_tag();
        assert_eq!(full("r:5000/a"), "r:5000/a:latest");
        assert_eq!(full("a:1"), "a:1");
    }
}
