//! What an image archive is, as far as a look at its headers tells: a file that is still being copied, or is something
//! else, is told apart in milliseconds, without sending it to dockerd. What is packed is dockerd's to judge.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Headers that are looked at; an archive of a hundred images has some thousand.
const HEADERS_MAX: usize = 20_000;

/// Headers of one name that says more about the next one: a long name, a large size.
const EXTRA_BYTES_MAX: u64 = 64 * 1024;

/// A tar file is made of blocks of so many bytes.
const BLOCK: u64 = 512;

/// How archives are packed, by their first bytes. dockerd unpacks them itself.
const PACKED: [(&[u8], Packing); 4] = [
    (&[0x1f, 0x8b], Packing::Gzip),
    (b"BZh", Packing::Bzip2),
    (&[0xfd, b'7', b'z', b'X', b'Z'], Packing::Xz),
    (&[0x28, 0xb5, 0x2f, 0xfd], Packing::Zstd),
];

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Archive {
    pub(super) packing: Packing,
    /// An OCI layout without what `docker save` writes beside it: only some engines take that.
    pub(super) oci_only: bool,
}

/// Why a file cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is no archive, or not a whole one; only another file at its place helps.
    Bad(String),
    /// The system does not give its bytes, which may pass.
    Unreadable(String),
}

/// Looks at an archive of so many bytes.
///
/// # Errors
/// Why it cannot be loaded.
pub(super) fn look(file: &File, bytes: u64) -> Result<Archive, Flaw> {
    if bytes == 0 {
        return Err(Flaw::Bad("it is empty".to_owned()));
    }
    let mut first = [0; 6];
    let got = read(file, &mut first, 0)?;
    let first = first.get(..got).unwrap_or_default();
    let mut packed = PACKED.iter();
    if let Some((_, packing)) = packed.find(|(magic, _)| first.starts_with(magic)) {
        return Ok(Archive {
            packing: *packing,
            oci_only: false,
        });
    }
    let names = names(file, bytes)?;
    let has = |name: &str| names.iter().any(|found| found == name);
    let is_docker = has("manifest.json") || has("repositories");
    let is_oci = has("index.json") && has("oci-layout");
    if !is_docker && !is_oci {
        let why = "it has no manifest.json at its top: it was not written by docker save, or was cut short";
        return Err(Flaw::Bad(why.to_owned()));
    }
    Ok(Archive {
        packing: Packing::Plain,
        oci_only: !is_docker,
    })
}

/// The names at the top of a tar file, from its headers alone.
fn names(file: &File, bytes: u64) -> Result<Vec<String>, Flaw> {
    let mut names = Vec::new();
    let mut at = 0;
    let mut larger = None;
    for _ in 0..HEADERS_MAX {
        let mut header = tar::Header::new_old();
        let got = read(file, header.as_mut_bytes(), at)?;
        // The end may be marked, or the file just ends.
        if got == 0 || header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(names);
        }
        if !is_header(&header) {
            return Err(Flaw::Bad(match at {
                0 => "it is no tar file, nor one packed by gzip, bzip2, xz or zstd".to_owned(),
                at => format!("its bytes from {at} on are no tar file any more"),
            }));
        }
        let size = larger.take().or_else(|| header.entry_size().ok());
        let size = size.ok_or_else(|| Flaw::Bad(format!("its header at {at} has no size")))?;
        let end = at.saturating_add(BLOCK).saturating_add(size);
        let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        if end > bytes {
            return Err(Flaw::Bad(format!(
                "it ends after {bytes} bytes, in the middle of {name}, which goes on to {end}: is it still being copied?"
            )));
        }
        if header.entry_type().is_pax_local_extensions() {
            larger = pax_size(file, at + BLOCK, size)?;
        } else if !name.contains('/') {
            names.push(name);
        }
        at = end.div_ceil(BLOCK).saturating_mul(BLOCK);
    }
    Ok(names)
}

/// Whether the sum over a header is the one that stands in it.
fn is_header(header: &tar::Header) -> bool {
    let bytes = header.as_bytes();
    let sum = |part: Option<&[u8]>| {
        part.into_iter()
            .flatten()
            .map(|b| u32::from(*b))
            .sum::<u32>()
    };
    // The place of the sum itself counts as blanks.
    let sum = sum(bytes.get(..148)) + sum(bytes.get(156..)) + 8 * u32::from(b' ');
    header.cksum().is_ok_and(|said| said == sum)
}

/// The size of the next file, where it is too large for a header: the record `LENGTH size=BYTES`.
fn pax_size(file: &File, at: u64, size: u64) -> Result<Option<u64>, Flaw> {
    let size = usize::try_from(size.min(EXTRA_BYTES_MAX)).unwrap_or(0);
    let mut text = vec![0; size];
    read(file, &mut text, at)?;
    let text = String::from_utf8_lossy(&text);
    let record = text.lines().find_map(|line| line.split_once(" size="));
    Ok(record.and_then(|(_, bytes)| bytes.parse().ok()))
}

/// Fills the buffer as far as the file goes.
pub(super) fn read(file: &File, into: &mut [u8], at: u64) -> Result<usize, Flaw> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let from = at.saturating_add(u64::try_from(done).unwrap_or(0));
        match file.read_at(rest, from) {
            Ok(0) => break,
            Ok(got) => done += got,
            Err(err) if err.kind() == std::io::ErrorKind::Interrupted => {}
            Err(err) => return Err(Flaw::Unreadable(format!("it cannot be read: {err}"))),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file of these bytes that has no name any more.
    fn file(name: &str, bytes: &[u8]) -> File {
        let path =
            std::env::temp_dir().join(format!("staticlet-archive-{}-{name}", std::process::id()));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        file.write_all(bytes).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }

    fn looked(name: &str, bytes: &[u8]) -> Result<Archive, Flaw> {
        look(&file(name, bytes), bytes.len() as u64)
    }

    fn packed(names: &[(&str, usize)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, size) in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(*size as u64);
            let content = vec![b'x'; *size];
            tar.append_data(&mut header, name, content.as_slice())
                .unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn why(looked: Result<Archive, Flaw>) -> String {
        match looked.unwrap_err() {
            Flaw::Bad(why) => why,
            Flaw::Unreadable(why) => panic!("{why}"),
        }
    }

    #[test]
    fn what_docker_save_writes_is_told_from_a_layout_alone() {
        let found = |names: &[(&str, usize)]| looked("kinds", &packed(names)).unwrap().oci_only;
        let layout = [
            ("blobs/sha256/1", 3000),
            ("index.json", 10),
            ("oci-layout", 10),
        ];
        assert!(found(&layout));
        assert!(!found(
            &[layout.as_slice(), &[("manifest.json", 10)]].concat()
        ));
        assert!(!found(&[("1/layer.tar", 700), ("./manifest.json", 10)]));
        assert!(!found(&[("1/layer.tar", 700), ("repositories", 10)]));
        let deep = looked("deep", &packed(&[("app/manifest.json", 10)]));
        assert!(why(deep).contains("no manifest.json at its top"));
    }

    #[test]
    fn a_file_that_is_cut_short_anywhere_is_not_whole() {
        let whole = packed(&[("1/layer.tar", 3000), ("manifest.json", 10)]);
        for cut in [1, 511, 512, 600, 3511, 3584, 3600, 4096, 4105] {
            let said = why(looked("cut", &whole[..cut]));
            let told = ["cut short", "still being copied", "no tar file"];
            assert!(
                told.iter().any(|words| said.contains(words)),
                "{cut}: {said}"
            );
        }
        assert!(
            looked("end", &whole[..4106]).is_ok(),
            "the padding is not missed"
        );
    }

    #[test]
    fn garbage_is_told_and_what_is_packed_is_left_to_dockerd() {
        assert_eq!(why(looked("empty", b"")), "it is empty");
        assert!(why(looked("text", &b"hello\n".repeat(1000))).contains("it is no tar file"));
        assert!(why(looked("zeros", &[0; 4096])).contains("no manifest.json"));
        let mut broken = packed(&[("1/layer.tar", 700), ("manifest.json", 10)]);
        broken[1536..2048].fill(7);
        assert!(why(looked("broken", &broken)).contains("from 1536 on are no tar file"));
        for (magic, packing) in PACKED {
            let found = looked("packed", &[magic, b"rest"].concat()).unwrap();
            assert_eq!(found.packing, packing);
        }
    }

    #[test]
    fn a_layer_larger_than_a_header_can_say_is_stepped_over() {
        // As Go writes it: the size in the header is 0, the one that counts stands before it.
        let mut bytes = Vec::new();
        let large = 9_u64 << 30;
        let record = format!("20 size={large}\n");
        for (name, kind, content) in [
            ("PaxHeaders.0/layer.tar", b'x', record.as_str()),
            ("1/layer.tar", b'0', ""),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_path(name).unwrap();
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_size(content.len() as u64);
            header.set_cksum();
            bytes.extend(header.as_bytes());
            bytes.extend(content.as_bytes());
            bytes.resize(bytes.len().div_ceil(512) * 512, 0);
        }
        let rest = packed(&[("manifest.json", 10)]);
        let file = file("large", &bytes);
        let at = bytes.len() as u64 + large;
        file.write_all_at(&rest, at).unwrap();
        let end = at + rest.len() as u64;
        assert_eq!(look(&file, end).map(|found| found.oci_only), Ok(false));
        assert!(why(look(&file, at - 1)).contains("still being copied"));
    }
}
