//! Loads one image archive into dockerd, unless that was done before and its images are there.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::archive::{self, Archive, Flaw, Packing};
use super::ledger::{self, Entry, Ledger, Stamp};
use super::report::{note, say};
use super::run::Outcome;
use crate::docker::Docker;
use crate::sources::PreloadRequest;
use crate::state::{ArchiveSaid, LoadedImage, Report};
use crate::sys::{self, Error, Kind, Mono, files};

/// How often it is told how far a large archive is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Images of one archive that are remembered and told; all of them are loaded.
const IMAGES_MAX: usize = 100;

/// Does it. What came of it is told of the archive: the job itself always ends well.
pub(super) fn run(request: &PreloadRequest) -> Outcome {
    let said = match load(request) {
        Ok(said) => said,
        Err(Refused { why, lasting }) => ArchiveSaid::Refused { why, lasting },
    };
    say(&Report::Archive(said));
    Outcome::Done
}

/// Why an archive is not loaded.
struct Refused {
    why: String,
    /// Only another file at its place will change that, or a dockerd that thinks better of it.
    lasting: bool,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused {
            why: error.said().to_owned(),
            lasting: false,
        }
    }
}

impl From<Flaw> for Refused {
    fn from(flaw: Flaw) -> Refused {
        let (why, lasting) = match flaw {
            Flaw::Bad(why) => (why, true),
            Flaw::Unreadable(why) => (why, false),
        };
        Refused { why, lasting }
    }
}

fn load(request: &PreloadRequest) -> Result<ArchiveSaid, Refused> {
    let path = request.path.as_path();
    let file = files::open_regular(path, nix::fcntl::OFlag::empty())?;
    let stamp = Stamp::of(&file)?;
    let docker = Docker::new(&request.docker_socket, Some(request.api));
    let ledger = Ledger::read(&request.root_dir);
    if let Some(known) = ledger.archive(path).filter(|known| known.stamp == stamp) {
        match &known.refused {
            Some(why) if !request.again => {
                let why = why.clone();
                return Err(Refused { why, lasting: true });
            }
            Some(_) => {}
            None if are_there(&docker, &known.images)? => {
                tell(&known.images);
                return Ok(ArchiveSaid::There);
            }
            None => {}
        }
    }
    let bytes = stamp.size;
    let loaded = send(&docker, path, file, bytes);
    let mut entry = Entry {
        stamp,
        images: Vec::new(),
        refused: None,
    };
    match &loaded {
        Ok(images) => entry.images.clone_from(images),
        Err(refused) if refused.lasting => entry.refused = Some(refused.why.clone()),
        // It is tried again soon, by whichever agent there is.
        Err(_) => return loaded.map(|_| ArchiveSaid::There),
    }
    let kept = ledger::change(&request.root_dir, |ledger| {
        ledger.put(path, entry, &request.names);
    });
    if let Err(error) = kept {
        note(format!("the next agent loads it again: {error}"));
    }
    let images = loaded?;
    tell(&images);
    Ok(ArchiveSaid::Loaded { bytes })
}

/// Whether dockerd has all of these. A name that has been given to another image since counts: somebody has pulled a
/// newer one.
fn are_there(docker: &Docker, images: &[LoadedImage]) -> Result<bool, Error> {
    for image in images {
        match docker.inspect_image(&image.name) {
            Ok(_) => {}
            Err(error) if error.kind() == Kind::Gone => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Has the file loaded, and finds the ids of what it brought.
fn send(docker: &Docker, path: &Path, file: File, of: u64) -> Result<Vec<LoadedImage>, Refused> {
    let archive = archive::look(&file, of)?;
    let body = Sent {
        file,
        bytes: 0,
        of,
        told: sys::now().mono,
    };
    let names = docker
        .load(&path.display().to_string(), body)
        .map_err(|error| Refused {
            lasting: error.kind() == Kind::Refused && !error.said().contains("no space left"),
            why: explained(error.said(), archive),
        })?;
    if names.is_empty() {
        let why = "dockerd took it, and found no image in it".to_owned();
        return Err(Refused { why, lasting: true });
    }
    let mut images = Vec::new();
    for name in names.into_iter().take(IMAGES_MAX) {
        let id = docker.inspect_image(&name)?.id;
        images.push(LoadedImage { name, id });
    }
    Ok(images)
}

/// dockerd's words, and what they mean: it complains about files of its own that nobody has heard of.
fn explained(said: &str, archive: Archive) -> String {
    let none_inside = said.contains("docker-import-") && said.contains("no such file");
    let hint = if archive.oci_only {
        "it is an OCI layout without the manifest.json of docker save, which only an engine with the containerd image \
         store takes; write it by docker save, or by skopeo copy to docker-archive:"
    } else if archive.packing == Packing::Zstd && said.contains("invalid tar header") {
        "zstd takes Docker 23 or newer; pack it by gzip"
    } else if said.contains("unexpected EOF") {
        "it is cut short: is it still being copied?"
    } else if none_inside {
        "what is in it was not written by docker save"
    } else {
        return said.to_owned();
    };
    format!("{said}; {hint}")
}

fn tell(images: &[LoadedImage]) {
    for image in images {
        say(&Report::Archive(ArchiveSaid::Image(image.clone())));
    }
}

/// The file on its way, which tells how far it is.
struct Sent {
    file: File,
    bytes: u64,
    of: u64,
    told: Mono,
}

impl Read for Sent {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let got = self.file.read(into)?;
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
        let now = sys::now().mono;
        if now.since(self.told) >= TELL_EVERY {
            self.told = now;
            let (bytes, of) = (self.bytes, self.of);
            say(&Report::Archive(ArchiveSaid::Sent { bytes, of }));
        }
        Ok(got)
    }
}
