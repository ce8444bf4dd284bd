//! `$(VAR)` in commands, arguments and environment values.
//!
//! Source: Kubernetes `third_party/forked/golang/expansion/expand.go`.

/// Replaces `$(NAME)` by what `lookup` knows. Single pass, nothing is expanded twice. An unknown name stays as written,
/// `$$` is one dollar wherever it stands, `$NAME` and `${NAME}` are no references.
pub(super) fn expand<'a>(text: &str, mut lookup: impl FnMut(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else if let Some(inside) = after.strip_prefix('(') {
            match inside.split_once(')') {
                Some((name, after)) => {
                    match lookup(name) {
                        Some(value) => out.push_str(value),
                        None => out.extend(["$(", name, ")"]),
                    }
                    after
                }
                None => {
                    out.push_str("$(");
                    inside
                }
            }
        } else {
            out.push('$');
            after
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn follows_the_grammar_of_kubernetes() {
        let lookup = |name: &str| match name {
            "A" => Some("one"),
            "B" => Some("$(A)"),
            "" => Some("nothing"),
            _ => None,
        };
        for (text, want) in [
            ("", ""),
            ("plain", "plain"),
            ("$(A)", "one"),
            ("x$(A)y$(A)", "xoneyone"),
            ("$(B)", "$(A)"),
            ("$(C)", "$(C)"),
            ("$()", "nothing"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$one"),
            ("$$$$", "$$"),
            ("$", "$"),
            ("a$", "a$"),
            ("$A ${A}", "$A ${A}"),
            ("$(A", "$(A"),
            ("$(C$(A)", "$(C$(A)"),
            ("ü$(A)ü", "üoneü"),
            ("$ü$(A)", "$üone"),
        ] {
            assert_eq!(expand(text, lookup), want, "{text}");
        }
    }
}
