//! One error type for every room that does IO.

use std::fmt;

/// What the caller would do about an error; the only thing code may branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The thing is not there (ENOENT, 404).
    Gone,
    /// Somebody else has it, or it changed under us (EEXIST, 409).
    Conflict,
    /// The other side cannot be reached or does not answer in time; try again later.
    Unavailable,
    /// The other side said no (EACCES, 400, 401, 403, 500).
    Refused,
    /// An answer that does not parse.
    Garbled,
    /// A limit of ours was reached.
    TooBig,
}

/// Something that did not work: what was being done, what the caller may do, what the other side said.
#[derive(Clone, Debug)]
pub struct Error {
    doing: String,
    kind: Kind,
    said: String,
}

/// The result of an IO function.
pub type Result<T> = std::result::Result<T, Error>;

/// The other side's words are kept up to here: enough for any reason, too little to flood a log.
const SAID_BYTES_MAX: usize = 600;

impl Error {
    /// An error while `doing` (verb, object and its exact name); `said` is the other side's words, verbatim.
    pub fn new(doing: impl Into<String>, kind: Kind, said: impl fmt::Display) -> Error {
        let mut said = said.to_string().trim_end().to_owned();
        if said.len() > SAID_BYTES_MAX {
            let cut = (0..=SAID_BYTES_MAX)
                .rev()
                .find(|&at| said.is_char_boundary(at))
                .unwrap_or(0);
            said.truncate(cut);
            said.push('…');
        }
        Error {
            doing: doing.into(),
            kind,
            said,
        }
    }

    /// An operating-system error, with the kind read off its errno.
    pub fn io(doing: impl Into<String>, cause: &std::io::Error) -> Error {
        use std::io::ErrorKind as E;
        #[allow(clippy::wildcard_enum_match_arm)] // std's enum is open
        let kind = match cause.kind() {
            E::NotFound => Kind::Gone,
            E::AlreadyExists => Kind::Conflict,
            E::TimedOut
            | E::WouldBlock
            | E::ConnectionRefused
            | E::ConnectionReset
            | E::BrokenPipe
            | E::UnexpectedEof => Kind::Unavailable,
            _ => Kind::Refused,
        };
        Error::new(doing, kind, cause)
    }

    /// An errno from nix, as [`Error::io`].
    pub fn errno(doing: impl Into<String>, cause: nix::errno::Errno) -> Error {
        Error::io(doing, &std::io::Error::from(cause))
    }

    /// What the caller would do about it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The other side's words alone, without what was being done.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// The same error, seen from one level up.
    #[must_use]
    pub fn while_doing(self, doing: impl fmt::Display) -> Error {
        Error {
            doing: format!("{doing}: {}", self.doing),
            ..self
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.said)
    }
}

impl std::error::Error for Error {}
