//! Signatures as minisign makes them: is this text what the owner of a key has signed?
//!
//! Pure. A signature file has four lines: a comment that nobody vouches for, the signature, a comment that is signed along
//! with it, and the signature of both. Source: <https://jedisct1.github.io/minisign/>. Deliberately absent: making
//! signatures, and reading anything of the trusted comment.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest};
use ring::signature::{ED25519, UnparsedPublicKey};

/// What a signature file may have: minisign cuts its comments at 1 and 8 KiB.
pub const SIGNATURE_BYTES_MAX: usize = 10 * 1024;

/// `Ed` for a signature of the text itself, `ED` for one of its BLAKE2b digest. Public keys bear the first.
const PLAIN: [u8; 2] = *b"Ed";
const HASHED: [u8; 2] = *b"ED";

/// A form or a key, the id of a key, and what comes with it.
struct Marked<const N: usize> {
    form: [u8; 2],
    id: [u8; 8],
    bytes: [u8; N],
}

impl<const N: usize> Marked<N> {
    fn parse(text: &str) -> Option<Marked<N>> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        let (form, rest) = bytes.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        Some(Marked {
            form: *form,
            id: *id,
            bytes: rest.try_into().ok()?,
        })
    }

    /// The id as minisign prints it.
    fn id(&self) -> String {
        format!("{:016X}", u64::from_le_bytes(self.id))
    }
}

fn key(text: &str) -> Option<Marked<32>> {
    Marked::parse(text).filter(|key| key.form == PLAIN)
}

/// The public key in `text`, which is one, or a `.pub` file with its comment.
pub fn public_key(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| key(line).is_some())
}

/// Whether the owner of a public key has signed this text.
///
/// # Errors
/// What is wrong with the signature, in words that go on after "the signature".
pub fn verify(public_key: &str, text: &[u8], signature: &str) -> Result<(), String> {
    let odd = || "is not one that minisign makes".to_owned();
    let key = key(public_key).ok_or_else(|| "is for a public key that is none".to_owned())?;
    let mut lines = signature.lines();
    let (_, signed, comment, global) = (lines.next(), lines.next(), lines.next(), lines.next());
    let signed: Marked<64> = signed.and_then(Marked::parse).ok_or_else(odd)?;
    let comment = comment.and_then(|line| line.strip_prefix("trusted comment: "));
    let global = global.and_then(|line| STANDARD.decode(line.trim()).ok());
    let (comment, global) = comment.zip(global).ok_or_else(odd)?;
    if signed.id != key.id {
        return Err(format!("is by key {}, not by {}", signed.id(), key.id()));
    }
    let owner = UnparsedPublicKey::new(&ED25519, key.bytes);
    let of_text = match signed.form {
        PLAIN => owner.verify(text, &signed.bytes),
        HASHED => owner.verify(&Blake2b512::digest(text), &signed.bytes),
        _ => return Err(odd()),
    };
    of_text.map_err(|_| "is not of this text".to_owned())?;
    let both = [&signed.bytes, comment.as_bytes()].concat();
    let of_both = owner.verify(&both, &global);
    of_both.map_err(|_| "has a trusted comment that was not signed".to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use blake2::{Blake2b512, Digest};
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::{HASHED, PLAIN, public_key, verify};

    const ID: [u8; 8] = *b"\x01\0\0\0\0\0\0\xab";

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn marked(form: [u8; 2], id: [u8; 8], bytes: &[u8]) -> String {
        STANDARD.encode([&form, id.as_slice(), bytes].concat())
    }

    fn sign(by: &Ed25519KeyPair, form: [u8; 2], text: &[u8]) -> String {
        let digest = Blake2b512::digest(text);
        let what = if form == HASHED { &digest[..] } else { text };
        let signed = by.sign(what);
        let both = by.sign(&[signed.as_ref(), b"of today"].concat());
        let (signed, both) = (marked(form, ID, signed.as_ref()), STANDARD.encode(both));
        format!("untrusted comment: any\n{signed}\ntrusted comment: of today\n{both}\n")
    }

    #[test]
    fn only_what_the_owner_signed_is_taken() {
        let (owner, other) = (pair(1), pair(2));
        let key = marked(PLAIN, ID, owner.public_key().as_ref());
        assert!(key.starts_with("RW") && key.len() == 56, "{key}");
        for form in [PLAIN, HASHED] {
            let good = sign(&owner, form, b"text");
            let lines: Vec<&str> = good.lines().collect();
            let rows = [
                (good.clone(), ""),
                (good.replace('\n', "\r\n"), ""),
                (good.replace("any", "another"), ""),
                (sign(&other, form, b"text"), "is not of this text"),
                (sign(&owner, form, b"texts"), "is not of this text"),
                (
                    good.replace("of today", "of 2030"),
                    "has a trusted comment that was not signed",
                ),
                (
                    good.replace(lines[3], &STANDARD.encode([0; 64])),
                    "has a trusted comment that was not signed",
                ),
                (lines[..3].join("\n"), "is not one that minisign makes"),
                (lines[..2].join("\n"), "is not one that minisign makes"),
                (String::new(), "is not one that minisign makes"),
                (
                    good.replace(lines[1], &key),
                    "is not one that minisign makes",
                ),
                (
                    good.replace(lines[1], &marked(*b"EE", ID, &[0; 64])),
                    "is not one that minisign makes",
                ),
                (
                    good.replace(lines[1], &marked(form, *b"\x02\0\0\0\0\0\0\0", &[0; 64])),
                    "is by key 0000000000000002, not by AB00000000000001",
                ),
            ];
            for (signature, wanted) in rows {
                let said = verify(&key, b"text", &signature);
                assert_eq!(said.err().unwrap_or_default(), wanted, "{signature}");
            }
        }
        // A signature of a digest is none of a text that is that digest.
        let hashed = sign(&owner, HASHED, b"text");
        let plain = sign(&owner, PLAIN, &Blake2b512::digest(b"text"));
        let line = |text: &str| text.lines().nth(1).unwrap().to_owned();
        assert_ne!(line(&hashed), line(&plain));
        let mixed = hashed.replace(&line(&hashed), &line(&plain));
        assert!(verify(&key, b"text", &mixed).is_err());
    }

    #[test]
    fn what_minisign_made_is_read() {
        let text = include_bytes!("../../tests/fixtures/minisign/pods.yaml");
        let key = public_key(include_str!("../../tests/fixtures/minisign/owner.pub")).unwrap();
        for signature in [
            include_str!("../../tests/fixtures/minisign/pods.yaml.minisig"),
            include_str!("../../tests/fixtures/minisign/legacy.minisig"),
        ] {
            assert_eq!(verify(key, text, signature), Ok(()));
            assert!(verify(key, &text[1..], signature).is_err());
        }
    }

    #[test]
    fn a_public_key_is_known_by_its_look() {
        let file = include_str!("../../tests/fixtures/minisign/owner.pub");
        let key = file.lines().nth(1).unwrap();
        for text in [file, key, &format!("{key}\r\n")] {
            assert_eq!(public_key(text), Some(key), "{text}");
        }
        for text in [
            "",
            "/etc/staticlet/owner.pub",
            &key[1..],
            &key.to_lowercase(),
        ] {
            assert_eq!(public_key(text), None, "{text}");
        }
    }
}
