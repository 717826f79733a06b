//! A socket that belongs to one host of a lab, and whose system calls are recorded in a trace.

use super::sockets::{recv, within_timeout};
use super::{CallError, PATIENCE, octet_count, octets, wait_until_ready};
use crate::lab::Obstacle;
use crate::lab::recorder::Recorder;
use crate::sys;
use crate::trace::HostId;
use crate::transport::Transport;
use nix::poll::PollFlags;
use socket2::{Domain, Socket, Type};
use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

/// A socket that belongs to one host of a lab. Its methods make system calls, and record most of them with their
/// outcomes.
#[derive(Debug)]
pub(crate) struct RecordedSocket {
    pub recorder: Recorder,
    pub host: HostId,
    pub transport: Transport,
    pub socket: Socket,
}

impl RecordedSocket {
    /// Opens an IPv4 socket whose send and receive timeouts are [`PATIENCE`]. The trace does not show the opening.
    pub(crate) fn open(
        recorder: &Recorder,
        host: HostId,
        transport: Transport,
    ) -> Result<Self, CallError> {
        let kind = match transport {
            Transport::Tcp => Type::STREAM,
            Transport::Udp => Type::DGRAM,
        };
        let socket = Socket::new(Domain::IPV4, kind, None).map_err(CallError::of("socket()"))?;
        let opened = Self::of(recorder, host, transport, socket);
        opened.set_timeouts()?;
        Ok(opened)
    }

    /// Wraps a socket that is already open.
    pub(crate) fn of(
        recorder: &Recorder,
        host: HostId,
        transport: Transport,
        socket: Socket,
    ) -> Self {
        Self { recorder: recorder.clone(), host, transport, socket }
    }

    fn set_timeouts(&self) -> Result<(), CallError> {
        self.unrecorded("setsockopt(SO_RCVTIMEO, SO_SNDTIMEO)", |socket| {
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))
        })
    }

    /// Makes a call on the socket and records its outcome.
    pub(crate) fn call<T>(
        &self,
        call: &str,
        mut make: impl FnMut(&Socket) -> io::Result<T>,
        success: impl FnOnce(&T) -> String,
    ) -> Result<T, CallError> {
        let at_once = || self.socket.nonblocking().unwrap_or(false);
        let would_block = || if at_once() { "not now" } else { "the deadline" };
        self.recorder.call_where(self.host, call, || make(&self.socket), success, would_block)
    }

    /// Makes a call without recording it, for preparations that the ladder diagram leaves out.
    pub(crate) fn unrecorded<T>(
        &self,
        call: &str,
        make: impl FnOnce(&Socket) -> io::Result<T>,
    ) -> Result<T, CallError> {
        make(&self.socket).map_err(CallError::of(call))
    }

    /// Switches the socket between blocking and non-blocking mode.
    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> Result<(), CallError> {
        self.unrecorded("fcntl(O_NONBLOCK)", |socket| socket.set_nonblocking(nonblocking))
    }

    /// Waits until the socket is ready for one of these events or has failed, at most for `timeout`. Returns false if
    /// the wait timed out.
    pub(crate) fn wait_until_ready(
        &self,
        events: PollFlags,
        timeout: Duration,
    ) -> Result<bool, CallError> {
        self.unrecorded("poll()", |socket| wait_until_ready(socket, events, timeout))
    }

    /// Returns the address and port that the socket is bound to.
    pub(crate) fn local_address(&self) -> Result<SocketAddr, CallError> {
        self.unrecorded("getsockname()", |socket| {
            socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
        })
    }

    /// Sets `SO_REUSEADDR`.
    pub(crate) fn reuse_address(&self) -> Result<(), CallError> {
        let set = |socket: &Socket| socket.set_reuse_address(true);
        self.call("setsockopt(SO_REUSEADDR)", set, |()| "set".into())
    }

    /// Sets `IP_RECVERR`, so that even an unconnected socket reports ICMP errors (ip(7)).
    pub(crate) fn report_errors(&self) -> Result<(), CallError> {
        self.call("setsockopt(IP_RECVERR)", sys::report_errors, |()| "set".into())
    }

    /// Binds the socket to an address.
    pub(crate) fn bind(&self, at: SocketAddr) -> Result<(), CallError> {
        let bind = |socket: &Socket| socket.bind(&at.into());
        self.call(&format!("bind({})", at.ip()), bind, |()| "bound".into())
    }

    /// Binds a server's socket, and over TCP makes it listen.
    pub(crate) fn serve_at(&self, at: SocketAddr) -> Result<(), CallError> {
        self.bind(at)?;
        if self.transport == Transport::Tcp { self.listen(5) } else { Ok(()) }
    }

    /// Makes the socket listen. `backlog` limits the connections that wait for [`accept`](Self::accept).
    pub(crate) fn listen(&self, backlog: u16) -> Result<(), CallError> {
        let listen = |socket: &Socket| socket.listen(backlog.into());
        self.call(&format!("listen({backlog})"), listen, |()| "listening".into())
    }

    /// Accepts the next connection.
    pub(crate) fn accept(&self) -> Result<Self, CallError> {
        let accept = |listener: &Socket| within_timeout(listener, || listener.accept());
        let (socket, _) = self.call("accept()", accept, |_| "a connection".into())?;
        self.accepted(socket)
    }

    /// Accepts the next connection without recording it.
    pub(crate) fn accept_unrecorded(&self) -> Result<Self, CallError> {
        let accept = |listener: &Socket| within_timeout(listener, || listener.accept());
        let (socket, _) = self.unrecorded("accept()", accept)?;
        self.accepted(socket)
    }

    fn accepted(&self, socket: Socket) -> Result<Self, CallError> {
        let accepted = Self::of(&self.recorder, self.host, self.transport, socket);
        accepted.set_timeouts()?;
        Ok(accepted)
    }

    /// Connects the socket; over UDP the kernel only remembers the address. The trace shows the address.
    pub(crate) fn connect(&self, at: SocketAddr) -> Result<(), CallError> {
        self.connect_as(&format!("connect({})", at.ip()), at)
    }

    /// Connects the socket; `call` names the call in the trace. Its outcome over UDP says that no packet is sent, so
    /// that a reader does not take it for a connection.
    pub(crate) fn connect_as(&self, call: &str, at: SocketAddr) -> Result<(), CallError> {
        let outcome = match self.transport {
            Transport::Tcp => "connected",
            Transport::Udp => "no packet is sent",
        };
        self.call(call, |socket| socket.connect(&at.into()), |()| outcome.to_owned())
    }

    /// Sends octets on a connected socket.
    pub(crate) fn send(&self, content: &[u8]) -> Result<usize, CallError> {
        let call = format!("send({})", content.len());
        self.call(&call, |socket| socket.send(content), |sent| octets(*sent))
    }

    /// Sends a datagram to an address.
    pub(crate) fn send_to(&self, content: &[u8], to: SocketAddr) -> Result<usize, CallError> {
        let call = format!("sendto({})", content.len());
        self.call(&call, |socket| socket.send_to(content, &to.into()), |sent| octets(*sent))
    }

    /// Receives once, with the socket's own timeout.
    pub(crate) fn receive(&self, max_octets: usize) -> Result<Vec<u8>, CallError> {
        let call = format!("recv({max_octets})");
        self.call(&call, |socket| recv(socket, max_octets), octet_count)
    }

    /// Receives once, with this timeout instead of the socket's own, into a buffer of 1024 octets.
    pub(crate) fn receive_within(&self, timeout: Duration) -> Result<Vec<u8>, CallError> {
        let set = |time| self.unrecorded("setsockopt(SO_RCVTIMEO)", |it| it.set_read_timeout(time));
        let usual = self.unrecorded("getsockopt(SO_RCVTIMEO)", Socket::read_timeout)?;
        set(Some(timeout))?;
        let received = self.receive(1024);
        set(usual)?;
        received
    }

    /// Receives a datagram; returns its length and the sender's address.
    pub(crate) fn receive_from(
        &self,
        call: &str,
        success: impl FnOnce(&(usize, SocketAddr)) -> String,
    ) -> Result<(usize, SocketAddr), CallError> {
        let receive = |socket: &Socket| {
            let mut room = [MaybeUninit::uninit(); 1024];
            let (length, peer) = within_timeout(socket, || socket.recv_from(&mut room))?;
            Ok((length, peer.as_socket().ok_or(io::ErrorKind::Unsupported)?))
        };
        self.call(call, receive, success)
    }

    /// Waits until this number of octets has arrived on a stream, without reading them.
    pub(crate) fn wait_for(&self, octets: usize) -> Result<(), Obstacle> {
        let started = Instant::now();
        let mut room = vec![MaybeUninit::uninit(); octets];
        let mut peek = |stream: &Socket| within_timeout(stream, || stream.peek(&mut room));
        while self.unrecorded("recv(), MSG_PEEK", &mut peek)? < octets {
            if started.elapsed() > PATIENCE {
                return Err(Obstacle::TooLate(format!("the arrival of {octets} octets"), PATIENCE));
            }
            thread::yield_now();
        }
        Ok(())
    }

    /// Shuts down the sending direction (TCP sends a FIN).
    pub(crate) fn shutdown(&self) -> Result<(), CallError> {
        let shutdown = |socket: &Socket| socket.shutdown(Shutdown::Write);
        self.call("shutdown(SHUT_WR)", shutdown, |()| "0".into())
    }

    /// Closes the socket and records `0`, as close(2) returns it.
    pub(crate) fn close(self) {
        self.close_with("0");
    }

    /// Closes the socket and records `success` as the outcome.
    pub(crate) fn close_with(self, success: &str) {
        let mut socket = Some(self.socket);
        let close = || {
            drop(socket.take());
            Ok(())
        };
        // Dropping the socket closes it and reports no error, so the result is always `Ok`.
        let _ = self.recorder.call(self.host, "close()", close, |()| success.to_owned());
    }
}
