//! The sandbox image: this very program as the only file of an image, so that there is nothing to pull.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::{Digest, Md5};
use nix::fcntl::{Flock, FlockArg};

use super::PodRequest;
use crate::docker::wire::ImageSummary;
use crate::docker::{Docker, ImportCall};
use crate::state::Node;
use crate::sys::{self, Error, Kind, Result, Wall};

/// Our own repository name; the tag is taken from the program, so that an upgrade never changes an image in use.
const REPO: &str = "staticlet/pause";

/// A younger image may be that of another agent on this dockerd, which would only make it again.
const OLD_SECONDS: i64 = 24 * 3600;

/// The program itself, also after its file was replaced.
const PROGRAM: &str = "/proc/self/exe";

/// The image to make sandboxes from: what the user asked for, or our own.
///
/// # Errors
/// When the program cannot read itself.
pub(super) fn name(request: &PodRequest) -> Result<String> {
    match (&request.node.pause_image, &request.program_digest) {
        (Some(image), _) => Ok(image.clone()),
        (None, Some(digest)) => Ok(format!("{REPO}:{digest}")),
        (None, None) => Ok(format!("{REPO}:{}", program_digest()?)),
    }
}

/// Brings the image to dockerd: imports our own, pulls another.
///
/// # Errors
/// dockerd's or the registry's words.
pub(super) fn provide(docker: &Docker, node: &Node, image: &str) -> Result<()> {
    if node.pause_image.is_some() {
        return super::pull::pull_image(docker, node, image, &mut |_| {});
    }
    // Twenty pods that start at once on a new machine need it once. The lock goes with the process.
    let path = Path::new(&node.root_dir).join("pause-image.lock");
    let file =
        File::create(&path).map_err(|e| Error::io(format!("open {}", path.display()), &e))?;
    let _held = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, e)| Error::errno(format!("lock {}", path.display()), e))?;
    match docker.inspect_image(image) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == Kind::Gone => {}
        Err(error) => return Err(error),
    }
    let tag = image
        .rsplit_once(':')
        .map_or("latest", |(_, tag)| tag)
        .to_owned();
    let changes = vec![r#"ENTRYPOINT ["/staticlet","pause"]"#.to_owned()];
    docker.import_image(
        &ImportCall {
            repo: REPO.to_owned(),
            tag,
            changes,
        },
        tarball()?.as_slice(),
    )?;
    remove_old(docker, image, sys::now().wall);
    Ok(())
}

/// Removes the images of other versions of this program; those that a sandbox still uses go at the next upgrade. What
/// cannot be removed takes some megabytes of disk and harms nobody.
fn remove_old(docker: &Docker, current: &str, now: Wall) {
    let images = docker.images(REPO).unwrap_or_default();
    let is_old =
        |image: &&ImageSummary| image.created.saturating_add(OLD_SECONDS) < now.0 / 1_000_000;
    for name in images.iter().filter(is_old).flat_map(|i| &i.repo_tags) {
        if name != current {
            let _ = docker.remove_image(name);
        }
    }
}

/// A tar file with the program in it. Some megabytes, for the moment of the import.
fn tarball() -> Result<Vec<u8>> {
    let doing = "pack this program for the sandbox image";
    let fault = |e: std::io::Error| Error::io(doing, &e);
    let file = File::open(PROGRAM).map_err(fault)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(file.metadata().map_err(fault)?.len());
    header.set_mode(0o755);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, "staticlet", file)
        .map_err(fault)?;
    tar.into_inner().map_err(fault)
}

/// Twelve digits of a digest over the program. Some 10 ms of CPU time, which every new pod would wait for.
///
/// # Errors
/// When the program cannot read itself.
pub fn program_digest() -> Result<String> {
    let doing = "read this program";
    let mut file = File::open(PROGRAM).map_err(|e| Error::io(doing, &e))?;
    let mut md5 = Md5::new();
    let mut chunk = vec![0_u8; 128 * 1024];
    loop {
        match file.read(&mut chunk).map_err(|e| Error::io(doing, &e))? {
            0 => break,
            count => md5.update(chunk.get(..count).unwrap_or(&[])),
        }
    }
    Ok(md5
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
