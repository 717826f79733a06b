//! What was seen of a server: values, which the judges judge and tests can make.

use crate::client::{Answer, AskError, Interruption};
use crate::syntax::{Recognised, Unrecognised, recognise};
use crate::transport::{IpVersion, Transport};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What was seen, or why it was not tried.
pub(super) type Tried<T> = Result<T, String>;

/// All that was seen.
#[derive(Debug)]
pub(super) struct Observed {
    /// The usual question, over each transport on the addresses of each version.
    pub usual: Vec<UsualExchange>,
    pub line_end_first: Tried<Conversation>,
    pub long_input_first: Tried<Conversation>,
    pub half_close: Tried<Conversation>,
    pub one_octet: Tried<Datagrams>,
    pub long: Tried<Datagrams>,
    pub privileged_port: Tried<Datagrams>,
    pub service_port: Tried<Datagrams>,
}

/// The usual question and what came of it.
#[derive(Debug)]
pub(super) struct UsualExchange {
    pub transport: Transport,
    pub version: IpVersion,
    pub answered: Tried<Result<Answer, AskError>>,
    /// UDP: datagrams that came after the first.
    pub further: usize,
    /// What the reply means, if there is one.
    pub meaning: Option<Meaning>,
}

/// A reply, read.
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

    /// The peer that sent any octets, and which: also those of a stream that did not end well.
    pub(super) fn reply(&self) -> Option<(SocketAddr, &[u8])> {
        let (peer, octets) = match self.answered.as_ref().ok()? {
            Ok(answer) => (answer.peer, &answer.octets),
            // What goes on beyond the limit is no reply.
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
    /// What the first reply over each transport means.
    pub(super) fn meanings(&self) -> impl Iterator<Item = (Transport, &Meaning)> {
        Transport::BOTH.into_iter().filter_map(|it| Some((it, self.over(it)?.meaning.as_ref()?)))
    }

    /// Octets of the usual reply over this transport, 0 for none.
    pub(super) fn usual_length(&self, transport: Transport) -> usize {
        self.over(transport).and_then(UsualExchange::reply).map_or(0, |(_, reply)| reply.len())
    }

    /// True if these octets are a reply like the usual one: the time may differ, and with it the length.
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

    /// Every reply to a usual question.
    pub(super) fn replies(&self) -> impl Iterator<Item = (&UsualExchange, &[u8])> {
        self.usual.iter().filter_map(|usual| Some((usual, usual.reply()?.1)))
    }
}

/// The first of these with a reply over this transport.
pub(super) fn replied(usual: &[UsualExchange], transport: Transport) -> Option<&UsualExchange> {
    usual.iter().find(|usual| usual.transport == transport && usual.reply().is_some())
}

/// A connection on which the client did something before it read.
#[derive(Debug)]
pub(super) struct Conversation {
    pub octets: Vec<u8>,
    pub end: StreamEnd,
}

/// How a stream ended.
#[derive(Debug)]
pub(super) enum StreamEnd {
    /// By the server's FIN, and no reset followed.
    Clean,
    /// By a reset (RST): before the end, or as soon as what the client had sent arrived.
    Reset,
    /// Not at all, for as long as was waited.
    Never(Duration),
    /// The server sent more than anybody takes for a reply.
    TooLong,
    /// The system would not do it.
    Failed(io::Error),
}

/// What came back for a datagram.
#[derive(Debug)]
pub(super) struct Datagrams {
    /// The port it was sent from.
    pub source_port: u16,
    /// Datagrams sent: 2 if nothing came back for the first.
    pub questions: usize,
    /// The first that came back.
    pub reply: Reply,
    /// How many came after it.
    pub further: usize,
    /// How long it was listened, in all.
    pub listened: Duration,
}

/// What came back first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Octets(Vec<u8>),
    /// An ICMP message: the port is closed.
    Refused,
    Silence,
}
