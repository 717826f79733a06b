//! Observations of a server, as plain values without sockets. `judge` turns them into findings, and tests can construct
//! them.

use crate::client::{Answer, AskError, Interruption};
use crate::syntax::{Recognised, Unrecognised, recognise};
use crate::transport::{IpVersion, Transport};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// An observation, or the reason why the probe was not tried.
pub(super) type Tried<T> = Result<T, String>;

/// All observations of one server.
#[derive(Debug)]
pub(super) struct Observed {
    /// The usual queries and their results. A usual query opens a TCP connection or sends an empty datagram. There
    /// is one for each transport and IP version.
    pub usual: Vec<UsualExchange>,
    pub line_end_first: Tried<Conversation>,
    pub long_input_first: Tried<Conversation>,
    pub half_close: Tried<Conversation>,
    pub one_octet: Tried<Datagrams>,
    pub long: Tried<Datagrams>,
    pub privileged_port: Tried<Datagrams>,
    pub service_port: Tried<Datagrams>,
}

/// The usual query over one transport and IP version, with its result.
#[derive(Debug)]
pub(super) struct UsualExchange {
    pub transport: Transport,
    pub version: IpVersion,
    pub answered: Tried<Result<Answer, AskError>>,
    /// UDP: number of datagrams received after the first one.
    pub further: usize,
    /// The reply as `recognise` reads it, if the server sent a reply.
    pub meaning: Option<Meaning>,
}

/// A reply as `recognise` reads it: a time, or the reason why it is not a time.
pub(super) type Meaning = Result<Recognised<'static>, Unrecognised>;

impl UsualExchange {
    pub(super) fn new(
        transport: Transport,
        version: IpVersion,
        answered: Tried<Result<Answer, AskError>>,
    ) -> Self {
        let mut usual = Self { transport, version, answered, further: 0, meaning: None };
        let meaning = usual.reply().map(|(_, octets)| recognise(octets));
        usual.meaning = meaning.map(|meaning| meaning.map(Recognised::into_owned));
        usual
    }

    /// Returns the peer and the octets that it sent, even if the stream ended with an error.
    pub(super) fn reply(&self) -> Option<(SocketAddr, &[u8])> {
        let (peer, octets) = match self.answered.as_ref().ok()? {
            Ok(answer) => (answer.peer, &answer.octets),
            // A stream longer than the limit does not count as a reply.
            Err(AskError::Incomplete { cause: Interruption::Limit { .. }, .. }) => return None,
            Err(AskError::Incomplete { partial, .. }) => (partial.peer, &partial.octets),
            Err(_) => return None,
        };
        (!octets.is_empty()).then_some((peer, octets))
    }

    pub(super) fn answer(&self) -> Option<&Answer> {
        let answered = self.answered.as_ref().ok()?.as_ref();
        answered.ok().filter(|answer| !answer.octets.is_empty())
    }
}

impl Observed {
    /// Returns the first reply over each transport, as `recognise` reads it.
    pub(super) fn meanings(&self) -> impl Iterator<Item = (Transport, &Meaning)> {
        Transport::BOTH.into_iter().filter_map(|it| Some((it, self.over(it)?.meaning.as_ref()?)))
    }

    /// Returns the length in octets of the usual reply over this transport, or 0 if the server sent none.
    pub(super) fn usual_length(&self, transport: Transport) -> usize {
        self.over(transport).and_then(UsualExchange::reply).map_or(0, |(_, reply)| reply.len())
    }

    /// Whether these octets have the same form as the usual reply. The time and the length may differ.
    pub(super) fn is_usual(&self, transport: Transport, octets: &[u8]) -> bool {
        let usual = self.over(transport).and_then(|usual| usual.meaning.as_ref());
        match (usual, recognise(octets)) {
            (Some(Ok(usual)), Ok(other)) => usual.form == other.form,
            (None | Some(Err(_)), Err(_)) => self.usual_length(transport) == octets.len(),
            _ => false,
        }
    }

    fn over(&self, transport: Transport) -> Option<&UsualExchange> {
        replied(&self.usual, transport)
    }

    /// Returns the replies to the usual queries over all transports and IP versions, each with its exchange.
    pub(super) fn replies(&self) -> impl Iterator<Item = (&UsualExchange, &[u8])> {
        self.usual.iter().filter_map(|usual| Some((usual, usual.reply()?.1)))
    }
}

/// Returns the first exchange over this transport in which the server replied.
pub(super) fn replied(usual: &[UsualExchange], transport: Transport) -> Option<&UsualExchange> {
    usual.iter().find(|usual| usual.transport == transport && usual.reply().is_some())
}

/// The result of a TCP connection in which the client sends or half-closes before it reads.
#[derive(Debug)]
pub(super) struct Conversation {
    pub octets: Vec<u8>,
    pub end: StreamEnd,
}

/// How a TCP stream ended.
#[derive(Debug)]
pub(super) enum StreamEnd {
    /// The server's FIN ended the stream, and no reset followed.
    Clean,
    /// A reset (RST) arrived instead of the FIN or after it.
    Reset,
    /// The stream did not end within this time.
    Never(Duration),
    /// The server sent more octets than the maximum length of a reply.
    TooLong,
    /// A system call failed.
    Failed(io::Error),
}

/// One query over UDP, with the datagrams that the socket received.
#[derive(Debug)]
pub(super) struct Datagrams {
    /// The query's source port.
    pub source_port: u16,
    /// Number of queries sent: 2 if the first one got no reply.
    pub questions: usize,
    /// The first response to the query.
    pub reply: Reply,
    /// Number of datagrams received after the reply.
    pub further: usize,
    /// Total time that the client spent waiting for datagrams.
    pub listened: Duration,
}

/// The first response to a query: a datagram, a refusal, or silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Octets(Vec<u8>),
    /// The host reported with an ICMP message that the port is closed.
    Refused,
    /// Nothing arrived within the timeout.
    Silence,
}
