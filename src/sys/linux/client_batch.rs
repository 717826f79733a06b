//! System calls for a client that sends queries as fast as it can. These include calls for many
//! datagrams (`sendmmsg(2)`, `recvmmsg(2)`), and a timer that is finer than the milliseconds of
//! `epoll_wait(2)` (`timerfd_create(2)`).

use super::super::{CLIENT_DATAGRAM_OCTETS, MAX_BATCH_DATAGRAMS};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// Buffers for the datagrams of one call. The sockets are connected, so no addresses are stored.
pub(crate) struct ClientBatch {
    headers: MultiHeaders<()>,
    room: Box<[[u8; CLIENT_DATAGRAM_OCTETS]]>,
}

impl ClientBatch {
    pub(crate) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(MAX_BATCH_DATAGRAMS, None),
            room: vec![[0; CLIENT_DATAGRAM_OCTETS]; MAX_BATCH_DATAGRAMS].into(),
        }
    }

    /// Sends `wanted` empty datagrams, but at most [`MAX_BATCH_DATAGRAMS`]. Returns the number
    /// sent, which is lower if the system accepts no more.
    pub(crate) fn send_empty(&mut self, socket: &impl AsRawFd, wanted: usize) -> io::Result<usize> {
        let empty: [IoSlice; 0] = [];
        // The datagrams need no addresses, because the socket is connected.
        let nowhere: [Option<()>; MAX_BATCH_DATAGRAMS] = [None; MAX_BATCH_DATAGRAMS];
        let datagrams = std::iter::repeat_n(&empty, wanted);
        let flags = MsgFlags::empty();
        let sent = sendmmsg(socket.as_raw_fd(), &mut self.headers, datagrams, nowhere, [], flags)?;
        Ok(sent.count())
    }

    /// Receives up to `wanted` datagrams, at most [`MAX_BATCH_DATAGRAMS`], and returns their
    /// number. A blocking socket waits for the first datagram only.
    pub(crate) fn receive(
        &mut self,
        socket: &(impl AsRawFd + AsFd),
        wanted: usize,
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<usize> {
        let mut room = self.room.iter_mut();
        let mut slice = || room.next().map_or_else(Default::default, |octets| &mut octets[..]);
        let mut slices: [_; MAX_BATCH_DATAGRAMS] =
            std::array::from_fn(|_| [IoSliceMut::new(slice())]);
        let slices = slices.iter_mut().take(wanted);
        let flags = MsgFlags::MSG_WAITFORONE;
        let mut count = 0;
        for message in recvmmsg(socket.as_raw_fd(), &mut self.headers, slices, flags, None)? {
            take(message.iovs().next().unwrap_or_default());
            count += 1;
        }
        Ok(count)
    }
}

/// Timer that ends the wait of a poll at a given time.
pub(crate) struct Alarm(TimerFd);

impl Alarm {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
        let descriptor = timer.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Returns `None` as the poll's timeout, because the timer ends the wait.
    #[expect(clippy::unused_self, reason = "the same surface as elsewhere")]
    pub(crate) fn or_wait(&self, _: Duration) -> Option<Duration> {
        None
    }

    /// Sets the timer to fire once, after this time.
    pub(crate) fn set(&self, after: Duration) -> io::Result<()> {
        // A time of 0 would disarm the timer, so at least 1 ns is set.
        let after = TimeSpec::from_duration(after.max(Duration::from_nanos(1)));
        Ok(self.0.set(Expiration::OneShot(after), TimerSetTimeFlags::empty())?)
    }
}

/// Returns the number of ephemeral ports, the range from which the kernel assigns ports to clients
/// (ip(7)).
pub(crate) fn ephemeral_ports() -> Option<u32> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = range.split_whitespace().map(str::parse::<u32>);
    let (first, last) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    Some((last + 1).saturating_sub(first))
}
