//! Gives `benches/` access to the hot paths of the services, and gives `fuzz/` access to the code that reads hostile
//! input. This module exists only with the feature `internals`, and may change in any version.

use crate::clock::Clock;
use crate::limit::{Limiter, Limits};
use crate::metrics::{Event, Metrics};
use crate::report;
use crate::report::ladder::{Form, Ladders, Sighting};
use crate::responder::Responder;
use crate::syntax::{Syntax, Zone};
use crate::sys::Received;
#[cfg(feature = "teach")]
use crate::teach::bank::Runs;
#[cfg(feature = "teach")]
use crate::teach::draw::{Secret, SheetName};
#[cfg(feature = "teach")]
use crate::teach::sheet::{Explanations, Sheet, answers_file};
#[cfg(feature = "teach")]
use crate::teach::{grade, submission};
use crate::trace::Fate;
use crate::udp::guard::{Guard, GuardOptions, admit_content};
use crate::udp::server::Service;
use crate::wire::conversation::Conversations;
use crate::wire::read::{CaptureReader, ReadError};
use crate::wire::times::Times;
use crate::wire::{Captured, checksum, decode, pcapng};
use mio::{Events, Poll, net};
#[cfg(feature = "teach")]
use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Harness for the responder, which gives the current reply to both services.
#[derive(Debug)]
pub struct ResponderHarness(Responder);

impl ResponderHarness {
    /// Creates a responder with the system's clock in UTC.
    #[must_use]
    pub fn new(syntax: Syntax) -> Self {
        Self(Responder::new(Clock::System, syntax, Zone::UTC, false))
    }

    /// Returns the length of the current reply in octets. `round` is the start of the event loop's current round.
    pub fn octets(&mut self, round: Instant) -> Option<usize> {
        self.0.reply(round).map(|reply| reply.octets().len())
    }
}

/// Harness for the rules that decide whether a datagram gets an answer. This harness applies no rate limits.
#[derive(Debug)]
pub struct GuardHarness(Guard);

impl GuardHarness {
    /// Creates a guard for a service on these ports, on a host with these broadcast addresses.
    #[must_use]
    pub fn new(options: GuardOptions, ports: Vec<u16>, broadcasts: Vec<Ipv4Addr>) -> Self {
        Self(Guard::new(options, ports, broadcasts))
    }

    /// Whether the guard lets the service send this reply to a datagram with this content from `peer` to `local`.
    #[must_use]
    pub fn answers(
        &self,
        peer: SocketAddr,
        local: SocketAddr,
        content: &[u8],
        reply: &[u8],
    ) -> bool {
        let octets = content.len();
        let datagram = Received { peer, octets, sent_to_many: false, destination: None };
        let admitted = self.0.admit(&datagram, local);
        let admitted = admitted.and_then(|()| self.0.admit_length(octets, reply.len()));
        admitted.and_then(|()| admit_content(content, reply)).is_ok()
    }
}

/// Harness for the rate limits on datagrams.
#[derive(Debug)]
pub struct LimiterHarness(Limiter);

impl LimiterHarness {
    /// Creates a limiter whose token buckets are full.
    #[must_use]
    pub fn new(limits: Limits, start: Instant) -> Self {
        Self(Limiter::new(limits, start))
    }

    /// Takes a token for a datagram from `peer`. Returns false if no token was left.
    #[must_use]
    pub fn takes(&self, peer: SocketAddr, now: Instant) -> bool {
        self.0.take(peer, now).is_ok()
    }
}

/// Harness for the UDP service of one worker.
#[derive(Debug)]
pub struct ServiceHarness {
    service: Service,
    responder: Responder,
    metrics: Metrics,
    poll: Poll,
    events: Events,
}

impl ServiceHarness {
    /// Maximum number of datagrams per socket and round of the event loop.
    pub const MAX_DATAGRAMS: usize = crate::sys::MAX_BATCH_DATAGRAMS;

    /// Creates a service on a non-blocking socket, in the default syntax.
    ///
    /// # Errors
    /// Returns an error if the event loop cannot be set up.
    pub fn new(socket: UdpSocket, limits: Limits, start: Instant) -> io::Result<Self> {
        let (metrics, poll) = (Metrics::default(), Poll::new()?);
        let guard =
            Guard::new(GuardOptions::default(), vec![socket.local_addr()?.port()], Vec::new());
        let limiter = Arc::new(Limiter::new(limits, start));
        let sockets = vec![net::UdpSocket::from_std(socket)];
        let counters = metrics.worker(0);
        let service = Service::new(sockets, guard, limiter, counters, poll.registry(), 1)?;
        let ResponderHarness(responder) = ResponderHarness::new(Syntax::default());
        Ok(Self { service, responder, metrics, poll, events: Events::with_capacity(8) })
    }

    /// Runs one round of the event loop: polls for events and answers datagrams. Returns whether more datagrams may be
    /// queued.
    ///
    /// # Errors
    /// Returns an error if polling for events fails.
    pub fn work(&mut self, now: Instant) -> io::Result<bool> {
        self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        self.events.iter().for_each(|event| self.service.note_ready(event.token()));
        Ok(self.service.work(&mut self.responder, now))
    }

    /// Returns the number of answered datagrams.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.metrics.count(Event::UdpAnswered)
    }
}

/// Completes the checksum of a packet. The fuzzer calls this function.
#[must_use]
pub fn complete_checksum(octets: &[u8]) -> Vec<u8> {
    let mut packet = octets.to_vec();
    checksum::complete(&mut packet);
    packet
}

/// The packets of a capture file, up to the first error. The fuzzer uses this type.
#[derive(Debug)]
pub struct CaptureFile {
    packets: Vec<Captured>,
    /// Error that ended the reading, if one occurred.
    pub error: Option<String>,
}

impl CaptureFile {
    /// Creates a capture with one packet, which begins with its IP header.
    #[must_use]
    pub fn of_packet(octets: &[u8]) -> Self {
        let (octets, comments) = (octets.to_vec(), Vec::new());
        Self {
            packets: vec![Captured { at: None, octets, interface: None, comments }],
            error: None,
        }
    }

    /// Reads a capture file.
    #[must_use]
    pub fn read(file: &[u8]) -> Self {
        let mut packets = Vec::new();
        let read = read_packets(file, &mut packets);
        Self { packets, error: read.err().map(|error| error.to_string()) }
    }

    /// Returns the octets, comments and time of each packet.
    pub fn packets(&self) -> impl Iterator<Item = (&[u8], &[Vec<u8>], Option<Duration>)> {
        self.packets.iter().map(|it| (&it.octets[..], &it.comments[..], it.at))
    }

    /// Returns the packets as text (one line per packet, then ladder diagrams) and as JSON objects.
    #[must_use]
    pub fn show(&self) -> (String, Vec<String>) {
        let mut conversations = Conversations::with(vec![crate::PORT]);
        let (mut times, mut ladders) = (Times::default(), Ladders::default());
        let (mut drawn, mut objects) = (String::new(), Vec::new());
        for captured in &self.packets {
            let interface = captured.interface.as_ref().map(|it| it.id);
            let Some(packet) = &decode::decode(&captured.octets) else { continue };
            let Some(role) = &conversations.assign(interface, packet) else { continue };
            let since_ns = times.since_ns(captured.at);
            let seen = Sighting { role, packet, captured, since_ns, fate: &Fate::Seen };
            drawn += &seen.row();
            objects.push(report::wire::json(&seen).to_string());
            ladders.add(&seen);
        }
        (drawn + &ladders.draw(Form::Ladder(80)), objects)
    }

    /// Writes the packets as a pcapng file.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut writer = pcapng::Writer::default();
        let packets = self.packets.iter().flat_map(|packet| writer.packet(packet));
        pcapng::begin().into_iter().chain(packets).collect()
    }
}

/// Reads an answer file and grades it, with a built-in secret. Returns the grade in every format, or the mistakes. Used
/// by the fuzzer.
#[cfg(feature = "teach")]
pub fn grade_answers(file: &[u8]) -> Result<String, Vec<String>> {
    thread_local! {
        // The runs of the sheet's labs, for all files.
        static RUNS: RefCell<Runs> = RefCell::default();
    }
    let (secret, marks) = (fuzzing_secret(), grade::Marks::default());
    let grade = submission::read(file)
        .map_err(|mistake| vec![mistake])
        .and_then(|read| RUNS.with_borrow_mut(|runs| grade::grade(&secret, &read, &marks, runs)))
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let grades = std::slice::from_ref(&grade);
    let csv = grade::csv(grades).map_err(|error| vec![error.to_string()])?;
    let junit = grade::junit(grades).map_err(|error| vec![error.to_string()])?;
    let explanations = grade::explanations(grades).map_err(|error| vec![error.to_string()])?;
    let (json, gradescope) = (grade::json(grades), grade::gradescope(&grade, &[]));
    Ok([
        grade::text(grades),
        csv,
        junit,
        explanations,
        grade::autolab(&grade, &[]),
        json.to_string(),
        gradescope.to_string(),
    ]
    .concat())
}

/// Returns an empty answer file that [`grade_answers`] accepts. The fuzzer inserts answers into it.
#[cfg(feature = "teach")]
#[must_use]
pub fn empty_answers() -> String {
    let name = SheetName { assignment: "fuzzing".to_owned(), student: "student".to_owned() };
    let labs = ["exchange", "loss"];
    let explanations = Explanations::Asked;
    answers_file(&Sheet::new(&fuzzing_secret(), name, &labs, explanations, &mut Runs::default()))
}

#[cfg(feature = "teach")]
fn fuzzing_secret() -> Secret {
    Secret::of(b"the secret of the fuzzer").unwrap_or_else(|| unreachable!("it is long enough"))
}

fn read_packets(file: &[u8], packets: &mut Vec<Captured>) -> Result<(), ReadError> {
    let mut reader = CaptureReader::new(file)?;
    while let Some(packet) = reader.next()? {
        packets.push(packet);
    }
    Ok(())
}
