//! URLs as they may be shown.

/// A URL as it may be shown: without the user and password, and without the query, which may be a key as well.
pub fn shown_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, ""), |(rest, _)| (rest, "?..."));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::shown_url;

    #[test]
    fn no_secret_of_a_url_is_shown() {
        let rows = [
            ("http://h:8080/a.yaml", "http://h:8080/a.yaml"),
            ("https://me:key@h/a?token=b#c", "https://h/a?..."),
            ("https://h?token=a@b", "https://h?..."),
            ("http://a@b@h/c@d", "http://h/c@d"),
        ];
        for (url, wanted) in rows {
            assert_eq!(shown_url(url), wanted);
        }
    }
}
