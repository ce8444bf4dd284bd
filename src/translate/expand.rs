//! `$(VAR)` in commands, arguments and environment values.
//!
//! Source: Kubernetes `third_party/forked/golang/expansion/expand.go`.

use crate::pod::Problem;

/// Bytes that the variables of one container, its command and its arguments come to together. Linux starts no program
/// with more than 6 MiB of them, whatever the limits are. Without a bound a few lines fill the memory: variables of which
/// each holds the one before it twice.
const BYTES_MAX: usize = 6 << 20;

/// How many bytes may still be made.
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Room {
        Room(BYTES_MAX)
    }
}

impl Room {
    /// Takes so many bytes, if they are there.
    pub(super) fn take(&mut self, bytes: usize, place: &str) -> Result<(), Problem> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| {
            let text = format!(
                "here the variables, command and arguments of the container come to more than {BYTES_MAX} bytes, with \
                 which Linux starts no program"
            );
            Problem::new(place, text).hint("does each variable hold others more than once?")
        })?;
        Ok(())
    }

    /// A text with its `$(NAME)` replaced by what `lookup` knows.
    pub(super) fn expand<'a>(
        &mut self,
        text: &str,
        place: &str,
        lookup: impl FnMut(&str) -> Option<&'a str>,
    ) -> Result<String, Problem> {
        let out = expand(text, self.0, lookup);
        self.take(out.len(), place)?;
        Ok(out)
    }
}

/// Replaces `$(NAME)` by what `lookup` knows. Single pass, nothing is expanded twice. An unknown name stays as written,
/// `$$` is one dollar wherever it stands, `$NAME` and `${NAME}` are no references. Ends after the value with which it is
/// longer than `max`.
fn expand<'a>(text: &str, max: usize, mut lookup: impl FnMut(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // What follows the last one is not searched for another again and again.
    let tail = text.rfind(')').map_or(usize::MAX, |at| text.len() - at);
    while let Some((before, after)) = rest.split_once('$').filter(|_| out.len() <= max) {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else if let Some(inside) = after.strip_prefix('(') {
            let ends = inside.len() >= tail;
            match ends.then(|| inside.split_once(')')).flatten() {
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
            assert_eq!(expand(text, 100, lookup), want, "{text}");
        }
    }
}
