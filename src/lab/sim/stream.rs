//! RFC 867's stream service and a client for it, on a simulated host's sockets.

use super::host::port;
use super::network::{Application, HostAccess, address};
use super::reply_at;
use crate::lab::link::SERVER;
use crate::transport::PORT;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{RecvError, Socket, SocketBuffer, State};
use std::time::Duration;

/// Size in octets of each send and receive buffer: more than a reply needs.
const BUFFER_OCTETS: usize = 1024;
/// Number of sockets that listen at the same time. `smoltcp` has no backlog; each listening socket accepts one
/// connection.
const LISTENING_SOCKETS: usize = 2;

fn socket() -> Socket<'static> {
    let buffer = || SocketBuffer::new(vec![0; BUFFER_OCTETS]);
    let mut socket = Socket::new(buffer(), buffer());
    // Turns off delayed acknowledgements, because other stacks also acknowledge a FIN at once.
    socket.set_ack_delay(None);
    socket
}

/// The stream service: sends a reply on each connection, closes it, and discards all input.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// Time from the moment a connection is established until the service replies.
    reply_delay: Duration,
    sockets: Vec<Served>,
    /// Number of connections that clients have established.
    pub accepted: u64,
    /// The replies that the service has sent, each with the client's port.
    pub answers: Vec<(Option<u16>, Vec<u8>)>,
}

#[derive(Debug)]
struct Served {
    handle: SocketHandle,
    last: State,
    /// Time at which the service will reply on this connection; `None` before the connection and after the reply.
    due: Option<Duration>,
    answered: bool,
}

impl Service {
    pub(crate) fn replying_after(reply_delay: Duration) -> Self {
        Self { reply_delay, ..Self::default() }
    }

    fn serve(&mut self, index: usize, host: &mut HostAccess) {
        let Served { handle, last, due, answered } = &mut self.sockets[index];
        let socket = host.sockets.get::<Socket>(*handle);
        let state = socket.state();
        host.port = port(socket);
        if state != *last {
            *last = state;
            if state == State::Established {
                self.accepted += 1;
                *due = Some(host.now + self.reply_delay);
                host.call("accept()", || "a connection".into());
            }
        }
        if !*answered && due.is_some_and(|due| due <= host.now) {
            *answered = true;
            *due = None;
            let line = answer(*handle, host);
            self.answers.extend(line.map(|line| (host.port, line)));
        }
        let socket = host.sockets.get_mut::<Socket>(*handle);
        while socket.can_recv() && socket.recv(|octets| (octets.len(), ())).is_ok() {}
        if state == State::Closed {
            // Listening fails only for port 0 or an open socket; neither occurs here.
            let _ = socket.listen(PORT);
            (*last, *due, *answered) = (State::Listen, None, false);
        }
    }
}

/// Sends the reply and closes the connection. Returns the reply, or `None` if it could not be sent.
fn answer(handle: SocketHandle, host: &mut HostAccess) -> Option<Vec<u8>> {
    let line = reply_at(host.now)?;
    let socket = host.sockets.get_mut::<Socket>(handle);
    let sent = socket.send_slice(&line);
    socket.close();
    let octets = line.len();
    let outcome = match sent {
        Ok(sent) => format!("{sent} octets"),
        Err(_) => "EPIPE".into(),
    };
    host.call(&format!("send({octets})"), || outcome.clone());
    host.call("shutdown(SHUT_WR)", || "0".into());
    sent.is_ok().then_some(line)
}

impl Application for Service {
    fn run(&mut self, host: &mut HostAccess) {
        while self.sockets.len() < LISTENING_SOCKETS {
            let mut socket = socket();
            let _ = socket.listen(PORT);
            let handle = host.sockets.add(socket);
            self.sockets.push(Served { handle, last: State::Listen, due: None, answered: false });
        }
        for index in 0..self.sockets.len() {
            self.serve(index, host);
        }
    }

    fn next(&self) -> Option<Duration> {
        self.sockets.iter().filter_map(|served| served.due).min()
    }
}

/// The stream client: connects, reads until end of stream, and closes.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// Time at which the client connects. The client gives up at the time `deadline`.
    pub begins: Duration,
    pub deadline: Duration,
    /// The client's port.
    pub port: u16,
    handle: Option<SocketHandle>,
    /// The octets that the client has read.
    pub octets: Vec<u8>,
    pub reads: u64,
    /// Time at which the first octet was read.
    pub answered: Option<Duration>,
    pub end: Option<End>,
}

/// How the exchange ended for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client received the server's FIN or a reset.
    Closed,
    /// The deadline passed first.
    TimedOut,
}

impl Client {
    pub(crate) fn new(begins: Duration, deadline: Duration, port: u16) -> Self {
        Self { begins, deadline, port, ..Self::default() }
    }

    fn connect(&self, host: &mut HostAccess) -> SocketHandle {
        let mut socket = socket();
        // Connecting fails only if the port or the address is 0.
        let _ = socket.connect(host.context, address(SERVER), self.port);
        host.call("connect()", || "under way".into());
        host.sockets.add(socket)
    }

    fn read(&mut self, handle: SocketHandle, host: &mut HostAccess) {
        let mut room = [0; BUFFER_OCTETS];
        while self.end.is_none() {
            let socket = host.sockets.get_mut::<Socket>(handle);
            match socket.recv_slice(&mut room) {
                Ok(0) => return,
                Ok(octets) => {
                    self.reads += 1;
                    self.octets.extend_from_slice(&room[..octets]);
                    self.answered.get_or_insert(host.now);
                    host.call("recv(1024)", || format!("{octets} octets"));
                }
                Err(RecvError::Finished) => {
                    socket.close();
                    self.end = Some(End::Closed);
                    host.call("recv(1024)", || "0: the end".into());
                    host.call("close()", || "0".into());
                }
                Err(RecvError::InvalidState) => {
                    // Either the handshake is not over yet, or a reset has ended the connection.
                    if socket.state() == State::Closed {
                        self.end = Some(End::Closed);
                        host.call("recv(1024)", || "ECONNRESET".into());
                    }
                    return;
                }
            }
        }
    }
}

impl Application for Client {
    fn run(&mut self, host: &mut HostAccess) {
        if host.now < self.begins {
            return;
        }
        host.port = Some(self.port);
        let handle = match self.handle {
            Some(handle) => handle,
            None => *self.handle.insert(self.connect(host)),
        };
        if self.end.is_none() {
            self.read(handle, host);
        }
        if self.end.is_none() && host.now >= self.deadline {
            self.end = Some(End::TimedOut);
            host.call("recv(1024)", || "EAGAIN: the deadline".into());
        }
    }

    fn next(&self) -> Option<Duration> {
        match (self.handle, self.end) {
            (None, _) => Some(self.begins),
            (_, None) => Some(self.deadline),
            _ => None,
        }
    }
}
