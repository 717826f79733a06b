//! Choices, from captures. Each function says for every result which choice it makes right.

use super::tshark::{ACK, Captures, FIN, Packet, RST, SYN};

/// Returns the text of the right choice, from captures of the simulated labs with the usual values.
pub fn on_sim(item: &str, usual: &Captures) -> Option<String> {
    let text = match item {
        "exchange-tcp-packets" => match packets(usual, "exchange-sim-tcp") {
            2 => "2 packets",
            4 => "4 packets",
            6..=9 => "6 to 9 packets",
            10.. => "10 packets or more",
            _ => "another number",
        },
        "exchange-udp-packets" => match packets(usual, "exchange-sim-udp") {
            1 => "1 packet",
            2 => "2 packets",
            3 => "3 packets",
            _ => "4 packets or more",
        },
        "loss-lost-syn" => lost_syn(usual),
        "loss-udp-one-try" => one_try(usual),
        "silent-tcp-client" => silent_client(usual),
        "silent-tcp-sender" => silent_sender(usual),
        "silent-tcp-waits" => silent_waits(usual),
        "silent-udp-server" => match usual.sent("silent-sim-udp", "server").len() {
            0 => "not at all",
            1 => "once, and never again",
            _ => "until the client acknowledges it",
        },
        "stale-tcp-reply" => stale_connection(usual),
        "stale-udp-reply" => return Some(owner(usual).replacen("The", "the", 1)),
        "loop-tcp-victim" => victim(usual),
        "loop-udp-loop" => replies_to_replies(usual),
        "loop-udp-guard" => match with_guard(usual) {
            0 => "none",
            1 => "1: the forged one",
            _ => "2: the forged one and a reply",
        },
        _ => return None,
    };
    Some(text.to_owned())
}

/// Returns the text of the right choice, from captures of labs on this machine's kernel.
pub fn on_netns(item: &str, captures: &Captures) -> Option<String> {
    let text = match item {
        "refused-tcp-connect" => refused(captures),
        "multihome-udp-source" => {
            let run = "multihome-netns-udp-a-careless-server";
            let asked = captures.sent(run, "client")[0].destination.clone();
            match &*captures.received(run, "client")[0].source {
                source if source == asked => "from the address that was asked",
                "0.0.0.0" => "from 0.0.0.0, to which the server's socket is bound",
                _ => "from the one that the kernel chooses",
            }
        }
        "multihome-tcp-source" => {
            let run = "multihome-netns-tcp-a-careless-server";
            let asked = captures.sent(run, "client")[0].destination.clone();
            let reply = captures.received(run, "client").into_iter().find(|it| it.data > 0);
            match reply {
                Some(reply) if reply.source == asked => "the reply, from that address",
                Some(_) => "the reply, from another address",
                None => "no octet, as over UDP",
            }
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// Returns the number of packets that the two hosts of a run sent.
fn packets(captures: &Captures, run: &str) -> usize {
    ["client", "server"].map(|host| captures.sent(run, host).len()).iter().sum()
}

/// The kernel repeats a SYN with the same port and number; a program's second call would have others.
fn lost_syn(usual: &Captures) -> &'static str {
    let sent = usual.sent("loss-sim-tcp-syn-lost", "client");
    let syns: Vec<&Packet> = sent.iter().filter(|it| it.has(SYN)).collect();
    assert!(syns.len() > 1, "no SYN is lost: {sent:?}");
    let is_kernel =
        syns.iter().all(|it| (it.ports, it.sequence) == (syns[0].ports, syns[0].sequence));
    let has_reply = usual.received("loss-sim-tcp-syn-lost", "client").iter().any(|it| it.data > 0);
    match (has_reply, is_kernel) {
        (true, true) => "the reply, because the kernel sends the SYN again",
        (true, false) => "the reply, because the program calls connect again",
        (false, _) => "an error from connect: the connection failed",
    }
}

/// The client of the run asks again, so only the time before its second question counts.
fn one_try(usual: &Captures) -> &'static str {
    let run = "loss-sim-udp-question-lost";
    let asked = usual.sent(run, "client");
    assert!(usual.received(run, "server").len() < asked.len(), "no question is lost");
    let second = asked.get(1).map_or(f64::INFINITY, |it| it.at);
    let received = usual.received(run, "client");
    match received.iter().find(|it| it.at < second) {
        None => "nothing",
        Some(it) if it.is_icmp => "an error: the datagram was lost",
        Some(_) => "the reply, because the kernel asks again",
    }
}

fn silent_client(usual: &Captures) -> &'static str {
    let received = usual.received("silent-sim-tcp", "client");
    assert!(received.iter().all(|it| it.data == 0), "the reply arrives: {received:?}");
    match received.iter().find(|it| it.has(FIN) || it.has(RST)) {
        None => "nothing until its own deadline, then EAGAIN (try again)",
        Some(it) if it.has(RST) => "an error: the connection is broken",
        Some(_) => "0 octets: the end of the stream",
    }
}

/// Returns the times at which the server of the lab `silent` sends its reply over TCP.
fn replies(usual: &Captures) -> Vec<f64> {
    let sent = usual.sent("silent-sim-tcp", "server");
    sent.iter().filter(|it| it.data > 0).map(|it| it.at).collect()
}

fn silent_sender(usual: &Captures) -> &'static str {
    let cut = replies(usual)[0];
    let sends = |host: &str| usual.sent("silent-sim-tcp", host).iter().any(|it| it.at > cut);
    match (sends("client"), sends("server")) {
        (true, true) => "both hosts",
        (true, false) => "only the client's host",
        (false, true) => "only the server's host",
        (false, false) => "neither host",
    }
}

fn silent_waits(usual: &Captures) -> &'static str {
    let times = replies(usual);
    let waits: Vec<f64> = times.windows(2).map(|it| it[1] - it[0]).collect();
    assert!(waits.len() > 1, "{times:?}");
    let is = |factor: f64| waits.windows(2).all(|it| (it[1] / it[0] - factor).abs() < 0.01);
    match (is(2.0), is(1.0)) {
        (true, _) => "It is twice as long",
        (_, true) => "It is as long",
        _ => "It is shorter, because the reply is late",
    }
}

/// Milliseconds that the server of the lab `stale` needs for a reply.
const SERVER_NEEDS: f64 = 1500.0;

/// The file of the second connection must have one reply, which the server had the time to form after this
/// connection's question, and which goes to this connection's port.
fn stale_connection(usual: &Captures) -> &'static str {
    let run = "stale-sim-tcp-the-second-connection";
    let opened = usual.received(run, "server")[0].clone();
    let replies: Vec<Packet> =
        usual.sent(run, "server").into_iter().filter(|it| it.data > 0).collect();
    let to_it = |it: &&Packet| it.ports.map(|(from, to)| (to, from)) == opened.ports;
    let in_time = |it: &&Packet| it.at - opened.at >= SERVER_NEEDS;
    match (replies.len(), replies.iter().filter(to_it).filter(in_time).count()) {
        (1, 1) => "the reply to the second connection",
        (1, 0) => "the late reply to the first connection",
        _ => "both replies, one after the other",
    }
}

/// Milliseconds after which a query of the lab `stale` ends without a reply.
const QUERY_ENDS: f64 = 3000.0;

/// Returns which reply the second query over UDP gets. The first query ends with the first reply or at its deadline; at
/// this time the second query begins, and takes the next reply before its own deadline.
pub fn owner(captures: &Captures) -> String {
    let [asked, received] =
        [captures.sent("stale-sim-udp", "client"), captures.received("stale-sim-udp", "client")];
    let first = received.iter().position(|it| it.at <= QUERY_ENDS);
    let begins = first.map_or(QUERY_ENDS, |at| received[at].at);
    let is_asked = asked.iter().any(|it| (it.at - begins).abs() < 0.001);
    assert!(is_asked, "no question at {begins}: {asked:?}");
    let next = first.map_or(0, |at| at + 1);
    match received.get(next).filter(|it| it.at <= begins + QUERY_ENDS) {
        Some(_) => format!("The reply to question {}", next + 1),
        None => "No reply".to_owned(),
    }
}

fn victim(usual: &Captures) -> &'static str {
    match usual.sent("loop-sim-tcp", "victim").first() {
        Some(it) if it.has(RST) => "a reset, as it has no such connection",
        Some(_) => "an ACK",
        None => "nothing, because the victim did not begin it",
    }
}

/// A capture ends, so "without an end" means here: until the last tenth of its second.
fn replies_to_replies(usual: &Captures) -> &'static str {
    let run = "loop-sim-udp-datagrams-without-guard";
    let sent = ["server", "victim"].map(|host| usual.sent(run, host));
    let is_icmp = sent[1].iter().any(|it| it.is_icmp);
    let goes_on = |it: &Vec<Packet>| it.last().is_some_and(|it| it.at > 900.0);
    match sent.each_ref().map(Vec::len) {
        _ if is_icmp => "one reply, and then an ICMP error from the victim",
        [_, 0] => "one reply, which the victim ignores",
        _ if sent.iter().all(goes_on) => "replies to replies, from both hosts, without an end",
        _ => "one reply from each: the server knows its own text",
    }
}

fn with_guard(usual: &Captures) -> usize {
    let run = "loop-sim-udp-datagrams-with-guard";
    ["forger", "server", "victim"].map(|host| usual.sent(run, host).len()).iter().sum()
}

/// A reset answers the first SYN in less than the second after which the client would send the SYN again.
fn refused(captures: &Captures) -> &'static str {
    let syns = captures.sent("refused-netns-tcp", "client");
    let received = captures.received("refused-netns-tcp", "client");
    match received.first() {
        Some(it) if it.has(SYN | ACK) => "It succeeds, but recv fails",
        Some(it) if it.has(RST) && it.at - syns[0].at < 900.0 => {
            "It fails at once: ECONNREFUSED (connection refused)"
        }
        _ => "It fails after its timeout, as no program answers",
    }
}
