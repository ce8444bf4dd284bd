//! Answers that come compressed.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{World, list};
use staticlet::sources::UrlTrust;
use staticlet::sys::files::sha256;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

impl World {
    /// From now on these bytes, said to be gzip.
    fn sends_gzip(&self, bytes: Vec<u8>) {
        let answer = ("200 OK\r\nContent-Encoding: gzip".to_owned(), bytes);
        self.server.answers(move |_| answer.clone());
    }
}

#[test]
fn a_compressed_manifest_is_read_and_pinned_as_what_is_in_it() {
    let text = list(&["a:1", "b:1"]);
    let (one, two) = text.as_bytes().split_at(20);
    for bytes in [packed(text.as_bytes()), [packed(one), packed(two)].concat()] {
        let mut world = World::trusting(UrlTrust {
            sha256: Some(sha256(text.as_bytes())),
            ..UrlTrust::default()
        });
        world.sends_gzip(bytes);
        world.ask();
        assert_eq!(world.pods(), ["a:1", "b:1"], "{:?}", world.messages);
    }
}

#[test]
fn what_grows_too_much_or_is_damaged_leaves_the_pods_alone() {
    let good = packed(list(&["a:2"]).as_bytes());
    let mut spoilt = good.clone();
    // The checksum, before the length.
    let at = spoilt.len() - 8;
    spoilt[at] ^= 1;
    let bomb = packed(&vec![b'#'; 300_000_000]);
    assert!(bomb.len() < 400_000, "{}", bomb.len());
    let rows = [
        (bomb, "the answer has more than 1048576 bytes"),
        (spoilt, "corrupt gzip stream"),
        (
            good[..good.len() - 9].to_vec(),
            "the answer broke off after",
        ),
        (b"apiVersion: v1\n".to_vec(), "invalid gzip header"),
        // Much that is nothing.
        (
            packed(b"").repeat(200_000),
            "the answer broke off after 0 bytes",
        ),
        (Vec::new(), "the answer broke off after 0 bytes"),
    ];
    for (bytes, why) in rows {
        let mut world = World::with_pods();
        world.sends_gzip(bytes);
        world.keeps_its_pods(why);
    }
}
