//! Other settings while the agent runs.

use super::dir::DirSource;
use super::trust::Trust;
use super::url::UrlSource;
use super::{Fetching, SourceSettings, Sources};

/// Sources that are no longer asked for anything, as long as those that took their place have not been read: until then
/// nobody knows which of their pods are still wanted.
#[derive(Default)]
pub(super) struct Leaving {
    pub(super) dirs: Vec<DirSource>,
    pub(super) urls: Vec<UrlSource>,
}

impl Sources {
    /// Takes other settings; the node's name and where manifests are kept stay as they are.
    ///
    /// The pods of a path or URL that is another one now stay until the new one has been read and can be used. Those of one that is not
    /// replaced go.
    pub fn set(&mut self, settings: SourceSettings) {
        let allows = settings.allow_unknown_fields;
        let rejudge = self.origin.allow_unknown_fields != allows;
        self.origin.allow_unknown_fields = allows;
        let trust = Trust::new(settings.allow_untrusted);
        self.dir = match settings.path {
            None => {
                self.leaving.dirs.clear();
                None
            }
            Some(path) => {
                self.leaving.dirs.extend(self.dir.take());
                let mut known = self.leaving.dirs.iter();
                let known = known.position(|dir| dir.is_at(&path));
                let known = known.map(|at| self.leaving.dirs.remove(at));
                let new = || DirSource::new(path, settings.file_check, trust);
                let mut dir = known.unwrap_or_else(new);
                dir.set(settings.file_check, trust, rejudge);
                Some(dir)
            }
        };
        // What a job brings that was told the old settings is of no use.
        self.fetching = self.fetching.map(|_| Fetching::Former);
        self.url = match settings.url {
            None => {
                self.leaving.urls.clear();
                None
            }
            Some(new) => {
                self.leaving.urls.extend(self.url.take());
                let mut known = self.leaving.urls.iter();
                let known = known.position(|url| url.is_at(&new.url));
                let known = known.map(|at| self.leaving.urls.remove(at));
                let mut url = known.unwrap_or_else(|| UrlSource::new(new.clone()));
                url.set(new, rejudge);
                Some(url)
            }
        };
    }

    /// Lets go of what has been replaced by something that is known: a file that cannot be used may be that of any pod.
    pub(super) fn let_go(&mut self) {
        let doubtful = |dir: &DirSource| dir.refusals().iter().any(|one| one.keeps.is_none());
        let known = |dir: &DirSource| dir.is_complete() && !doubtful(dir);
        if self.dir.as_ref().is_none_or(known) {
            self.leaving.dirs.clear();
        }
        if self.url.as_ref().is_none_or(UrlSource::is_complete) {
            self.leaving.urls.clear();
        }
    }
}
