//! Linux-specific checks of sockets that a supervisor passes.

use socket2::{Protocol, Socket};
use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

/// Returns the address of a Unix socket with an abstract name, which has no file (unix(7),
/// "abstract").
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// Whether a stream socket is TCP or multipath TCP (`SO_PROTOCOL`).
pub(crate) fn is_tcp(stream: &Socket) -> bool {
    matches!(stream.protocol(), Ok(Some(Protocol::TCP | Protocol::MPTCP)))
}

/// Whether a datagram socket is UDP, as opposed to a ping socket, for example (`SO_PROTOCOL`).
pub(crate) fn is_udp(datagrams: &Socket) -> bool {
    matches!(datagrams.protocol(), Ok(Some(Protocol::UDP)))
}

/// Returns the file that a descriptor refers to, such as `/dev/null` or `pipe:[4711]` (proc(5)).
pub(crate) fn descriptor_path(descriptor: i32) -> Option<String> {
    let path = fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
    Some(path.to_string_lossy().escape_debug().to_string())
}
