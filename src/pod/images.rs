//! Image names, read as Docker reads them.
//!
//! Source: distribution/reference, `ParseNormalizedNamed` and its grammar; kubelet `image_manager.go` for the default tag.

/// An image's name: `[domain/]path[:tag][@digest]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef {
    given: String,
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// The longest name, domain included, that a registry has.
const NAME_MAX: usize = 255;
/// The longest tag.
const TAG_MAX: usize = 128;

impl ImageRef {
    /// Reads a name.
    ///
    /// # Errors
    /// Docker's words for what is wrong with it.
    pub fn parse(image: &str) -> Result<ImageRef, String> {
        let bad = |why: &str| Err(why.to_owned());
        let (rest, digest) = match image.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (image, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if image.len() == 64 && image.bytes().all(is_hex) {
            return bad("cannot specify 64-byte hexadecimal strings");
        }
        let (domain, path) = split_domain(name);
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return bad("repository name must be lowercase");
        }
        if !is_domain(&domain)
            || !path.split('/').all(is_component)
            || !tag.is_none_or(is_tag)
            || !digest.is_none_or(is_digest)
        {
            return bad("invalid reference format");
        }
        if domain.len() + 1 + path.len() > NAME_MAX {
            return bad("repository name must not be more than 255 characters");
        }
        Ok(ImageRef {
            given: image.to_owned(),
            domain,
            path,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// As it was given, with `:latest` where it has neither tag nor digest.
    pub fn with_default_tag(&self) -> String {
        let is_bare = self.tag.is_none() && self.digest.is_none();
        format!("{}{}", self.given, if is_bare { ":latest" } else { "" })
    }

    /// The repository in full: `docker.io/library/nginx`. Credentials are looked up by it.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The digest, else the tag, else `latest`.
    pub fn version(&self) -> String {
        let version = self.digest.as_deref().or(self.tag.as_deref());
        version.unwrap_or("latest").to_owned()
    }

    /// Repository and version of a name with what may be left out, to tell whether two mean the same; `None` for what is no
    /// name.
    pub fn in_full(name: &str) -> Option<(String, String)> {
        let image = ImageRef::parse(name).ok()?;
        Some((image.repository(), image.version()))
    }

    /// Whether another pull may bring another image under the same name, as far as the name tells.
    pub fn is_latest(&self) -> bool {
        self.digest.is_none() && self.tag.as_deref().is_none_or(|tag| tag == "latest")
    }
}

/// The domain and the path below it, with what Docker Hub lets people leave out.
fn split_domain(name: &str) -> (String, String) {
    let is_domain = |first: &str| {
        first.contains(['.', ':'])
            || first == "localhost"
            || first.bytes().any(|b| b.is_ascii_uppercase())
    };
    let (domain, path) = match name.split_once('/') {
        Some((first, path)) if is_domain(first) => (first, path),
        _ => ("docker.io", name),
    };
    let domain = match domain {
        "index.docker.io" => "docker.io",
        other => other,
    };
    if domain == "docker.io" && !path.contains('/') {
        return (domain.to_owned(), format!("library/{path}"));
    }
    (domain.to_owned(), path.to_owned())
}

fn is_hex(b: u8) -> bool {
    matches!(b, b'0'..=b'9' | b'a'..=b'f')
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    if !port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())) {
        return false;
    }
    if let Some(address) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        let is_part = |b: u8| b.is_ascii_hexdigit() || b == b':';
        return !address.is_empty() && address.bytes().all(is_part);
    }
    host.split('.').all(|part| {
        let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(inside)
    })
}

/// Runs of `[a-z0-9]` with `.`, `_`, `__` or any number of `-` between.
fn is_component(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(is_word)
        && part.ends_with(is_word)
        && part.split(is_word).all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=TAG_MAX).contains(&tag.len()) && !tag.starts_with(['.', '-']) && tag.bytes().all(inside)
}

fn is_digest(digest: &str) -> bool {
    let Some((kind, hex)) = digest.split_once(':') else {
        return false;
    };
    let known = match kind {
        "sha256" => hex.len() == 64,
        "sha384" => hex.len() == 96,
        "sha512" => hex.len() == 128,
        _ => false,
    };
    known && hex.bytes().all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_full() {
        for (image, repository, version) in [
            ("nginx", "docker.io/library/nginx", "latest"),
            ("a/b:1", "docker.io/a/b", "1"),
            ("r.io:5000/b", "r.io:5000/b", "latest"),
            ("[fd00::1]:5000/b", "[fd00::1]:5000/b", "latest"),
            ("localhost/b:2", "localhost/b", "2"),
            ("Registry/b", "Registry/b", "latest"),
            ("index.docker.io/library/x:1", "docker.io/library/x", "1"),
            ("docker.io/x:1", "docker.io/library/x", "1"),
            (
                "a_b/c__d/e--f.g:V.1_-",
                "docker.io/a_b/c__d/e--f.g",
                "V.1_-",
            ),
        ] {
            let name = ImageRef::parse(image).unwrap();
            let found = (name.repository(), name.version());
            assert_eq!(
                found,
                (repository.to_owned(), version.to_owned()),
                "{image}"
            );
        }
        let digest = format!("sha256:{}", "a".repeat(64));
        let both = ImageRef::parse(&format!("x:1@{digest}")).unwrap();
        assert_eq!(both.version(), digest);
        assert!(!both.is_latest());
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        let hex = "a".repeat(64);
        let long = "a/".repeat(130) + "a";
        let short = format!("x@sha256:{}", "a".repeat(32));
        for image in [
            "",
            "Nginx",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a b",
            "a ",
            "x@sha256:1",
            "x@",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "_a",
            "a:-1",
            "a.:80/b",
            "r.io:x/b",
            "é",
            "a\nb",
            &hex,
            &long,
            &short,
        ] {
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
