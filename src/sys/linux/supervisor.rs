//! What a supervisor hands over, in Linux's own terms.

use socket2::{Protocol, Socket};
use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

/// The address of a Unix socket that has a name and no file (unix(7), "abstract").
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// Whether a stream socket is TCP, be it multipath TCP (`SO_PROTOCOL`).
pub(crate) fn is_tcp(stream: &Socket) -> bool {
    matches!(stream.protocol(), Ok(Some(Protocol::TCP | Protocol::MPTCP)))
}

/// Whether a datagram socket is UDP and not, say, a ping socket (`SO_PROTOCOL`).
pub(crate) fn is_udp(datagrams: &Socket) -> bool {
    matches!(datagrams.protocol(), Ok(Some(Protocol::UDP)))
}

/// What a descriptor of this process refers to (proc(5)), as `/dev/null` or `pipe:[4711]`.
pub(crate) fn descriptor_path(descriptor: i32) -> Option<String> {
    let path = fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
    Some(path.to_string_lossy().escape_debug().to_string())
}
