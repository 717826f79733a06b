//! Numbers and blank fields, from the captures of a student's runs.

use super::tshark::Captures;
use serde_json::Value;

/// Returns the field of a packet that an item asks for.
pub fn field(item: &Value, captures: &Captures) -> Option<String> {
    let (field, number) = (item["field"].as_str()?, item["packet"].as_u64()?);
    let lab = item["item"].as_str()?.split('-').next()?;
    let packets = captures.of(&format!("{lab}-sim-tcp-server"));
    let packet = &packets[usize::try_from(number).ok()? - 1];
    Some(match field {
        "sequence number" => packet.sequence.to_string(),
        "acknowledgement number" => packet.acknowledgement.to_string(),
        "flags" => packet.names(),
        _ => packet.data.to_string(),
    })
}

/// Returns the number that an item asks for.
pub fn number(item: &Value, captures: &Captures) -> Option<f64> {
    Some(match item["item"].as_str()? {
        "exchange-tcp-time" => first_reply(captures, "exchange-sim-tcp"),
        "exchange-udp-time" => first_reply(captures, "exchange-sim-udp"),
        "loss-tcp-time" => first_reply(captures, "loss-sim-tcp"),
        "loop-datagrams" => {
            let packets = captures.of("loop-sim-udp-datagrams-without-guard-server");
            f64::from(u32::try_from(packets.len()).ok()?)
        }
        "silent-retransmission" => {
            let prompt = item["prompt"].as_str()?;
            let ordinals = ["first", "second", "third"];
            let is_asked = |it: &&str| prompt.contains(&format!("for the {it} time"));
            let number = ordinals.iter().position(is_asked)?;
            let sent = captures.sent("silent-sim-tcp", "server");
            sent.iter().filter(|it| it.data > 0).nth(number + 1)?.at
        }
        "stale-first-reply" => first_reply(captures, "stale-sim-udp"),
        _ => return None,
    })
}

/// Returns the milliseconds from the client's first packet to the first data that it receives.
fn first_reply(captures: &Captures, run: &str) -> f64 {
    let received = captures.received(run, "client");
    let reply = received.iter().find(|it| it.data > 0).expect("a reply");
    reply.at - captures.sent(run, "client")[0].at
}
