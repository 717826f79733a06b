//! Finds the name of this host's time zone.

/// Returns the IANA name of this host's zone, or the path of the zone file if the file has no IANA
/// name. `None` means UTC.
///
/// # Errors
/// The error text says why the system's setting cannot be read.
#[cfg(any(feature = "client", feature = "server"))]
pub(super) fn name() -> Result<Option<String>, String> {
    match std::env::var("TZ") {
        Ok(variable) => Ok(match variable.trim_start_matches(':') {
            "" => None,
            path if path.starts_with('/') => Some(linked_name(path).unwrap_or(path.to_owned())),
            name => Some(name.to_owned()),
        }),
        Err(_) => system_name(),
    }
}

#[cfg(any(feature = "client", feature = "server"))]
fn system_name() -> Result<Option<String>, String> {
    use iana_time_zone::GetTimezoneError;
    use std::io::ErrorKind::PermissionDenied;
    const SYSTEM: &str = "/etc/localtime";
    match iana_time_zone::get_timezone() {
        Ok(name) => Ok(Some(name)),
        Err(GetTimezoneError::IoError(error)) if error.kind() == PermissionDenied => {
            Err(error.to_string())
        }
        // If the file does not exist, the zone is UTC. If the file exists but has no IANA name, its
        // path is used as the name.
        Err(_) if !std::path::Path::new(SYSTEM).exists() => Ok(None),
        Err(_) => Ok(Some(SYSTEM.to_owned())),
    }
}

/// Follows the links at this path. Returns the IANA name of the zone file to which they lead.
#[cfg(any(feature = "client", feature = "server"))]
fn linked_name(path: &str) -> Option<String> {
    let file = std::fs::canonicalize(path).ok()?;
    let (_, name) = file.to_str()?.split_once("/zoneinfo/")?;
    Some(name.to_owned())
}

/// Always fails: without the features `client` and `server`, the crate does not query the system's
/// zone.
#[cfg(not(any(feature = "client", feature = "server")))]
pub(super) fn name() -> Result<Option<String>, String> {
    Err("this build lacks the features client and server".to_owned())
}
