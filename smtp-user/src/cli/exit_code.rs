//! Exit codes of every command, by the numbers of BSD `sysexits.h`.

use std::io::ErrorKind;
use std::process;

use crate::app::config::LoadError;
use crate::audit::error::RecordsError;
use crate::packet_path::error::PacketPathError;
use crate::quarantine::error::QuarantineError;
use crate::spool::error::SpoolError;
use crate::tls::authority_store::AuthorityError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// As asked.
    Ok = 0,
    /// A message is not clean.
    NotClean = 1,
    /// The command line is wrong.
    Usage = 64,
    /// What was given or found is not in order.
    Data = 65,
    /// A file that was named does not exist or cannot be read.
    NoInput = 66,
    /// Something that is needed is not there: no daemon, no loaded policy, no kernel feature.
    Unavailable = 69,
    /// A mistake in Postern itself.
    Software = 70,
    /// The operating system refused something it usually does.
    Os = 71,
    /// Reading or writing failed.
    Io = 74,
    /// Worth trying again.
    TempFail = 75,
    /// Not allowed.
    Permission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl ExitCode {
    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

impl From<&LoadError> for ExitCode {
    fn from(error: &LoadError) -> Self {
        match error {
            LoadError::NotFound { .. } => Self::NoInput,
            LoadError::Permission { .. } => Self::Permission,
            LoadError::Read { .. } => Self::Io,
            LoadError::TooLarge { .. } | LoadError::Encoding { .. } | LoadError::Invalid(_) => Self::Config,
        }
    }
}

impl From<&SpoolError> for ExitCode {
    fn from(error: &SpoolError) -> Self {
        match error {
            SpoolError::NoFolder { .. } | SpoolError::NotFound { .. } => Self::NoInput,
            SpoolError::NotAFolder { .. }
            | SpoolError::WrongOwner { .. }
            | SpoolError::NotASpool { .. }
            | SpoolError::OtherVersion { .. } => Self::Config,
            SpoolError::InUse { .. }
            | SpoolError::Full { .. }
            | SpoolError::NoSpace
            | SpoolError::ReadOnly
            | SpoolError::Stale { .. }
            | SpoolError::Closed => Self::TempFail,
            SpoolError::Exists { .. } => Self::Software,
            SpoolError::Damaged { .. } => Self::Data,
            SpoolError::Io { why, .. } if why.kind() == ErrorKind::PermissionDenied => Self::Permission,
            SpoolError::Io { .. } => Self::Io,
        }
    }
}

impl From<&QuarantineError> for ExitCode {
    fn from(error: &QuarantineError) -> Self {
        match error {
            QuarantineError::NotThere { .. } => Self::NoInput,
            QuarantineError::NotAFolder { .. }
            | QuarantineError::WrongOwner { .. }
            | QuarantineError::OtherVersion { .. } => Self::Config,
            QuarantineError::NoSpace | QuarantineError::Busy { .. } | QuarantineError::Cut => Self::TempFail,
            QuarantineError::Damaged { .. } => Self::Data,
            QuarantineError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                Self::Permission
            }
            QuarantineError::Io { .. } | QuarantineError::Held { .. } => Self::Io,
        }
    }
}

impl From<&RecordsError> for ExitCode {
    fn from(error: &RecordsError) -> Self {
        match error {
            RecordsError::NoFolder { .. } => Self::NoInput,
            RecordsError::NoRights { .. } => Self::Permission,
            RecordsError::InUse { .. } => Self::Unavailable,
            RecordsError::Io { .. } => Self::Io,
        }
    }
}

impl From<&AuthorityError> for ExitCode {
    fn from(error: &AuthorityError) -> Self {
        match error {
            AuthorityError::Missing { .. } => Self::NoInput,
            AuthorityError::Exists { .. } | AuthorityError::File { .. } => Self::Data,
            AuthorityError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                Self::Permission
            }
            AuthorityError::Io { .. } => Self::Io,
        }
    }
}

impl From<&PacketPathError> for ExitCode {
    fn from(error: &PacketPathError) -> Self {
        use PacketPathError as E;
        match error {
            E::NoRights { .. } => Self::Permission,
            E::NoObject { .. }
            | E::NoBpfFileSystem { .. }
            | E::NotLoaded { .. }
            | E::OtherVersion { .. }
            | E::Busy { .. }
            | E::NoInterface { .. }
            | E::ForeignXdp { .. }
            | E::NoXdp { .. }
            | E::NoPort { .. } => Self::Unavailable,
            E::Map { .. } | E::Program { .. } | E::Attach { .. } | E::Netlink { .. } => Self::Os,
            E::Pin { .. } => Self::Io,
            E::Compile(_) | E::RuleText(_) => Self::Data,
        }
    }
}
