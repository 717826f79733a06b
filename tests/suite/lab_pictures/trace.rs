//! What the JSON of a run says about one part: packets, calls and states.

use serde_json::Value;

/// One part of a run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub packets: Vec<Packet>,
    pub calls: Vec<Call>,
    pub states: Vec<State>,
}

/// One packet. Its number is its place in the trace, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub from: String,
    pub to: String,
    pub sent: u64,
    pub arrived: Vec<u64>,
    pub what: String,
    pub fate: String,
}

/// One system call with its result: `recv(10) = 10 octets`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub at: u64,
    pub host: String,
    pub says: String,
}

/// One TCP state of a host, from one time to another. The last one has no end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    pub host: String,
    pub from: u64,
    pub to: Option<u64>,
    pub name: String,
}

impl Trace {
    /// Reads one element of `runs[].parts[]`.
    pub fn of(part: &Value) -> Self {
        let mut trace = Self::default();
        for event in part["events"].as_array().expect("events") {
            let (at, host) = (event["at_ns"].as_u64().expect("a time"), text(&event["host"]));
            if event["packet"].is_string() {
                trace.packets.push(packet(event, at, host));
            } else if event["call"].is_string() {
                let (call, outcome) = (text(&event["call"]), text(&event["outcome"]));
                let is = if outcome.is_empty() { "" } else { " = " };
                let says = format!("{call}{is}{outcome}");
                trace.calls.push(Call { at, host, says });
            } else {
                trace.enter(State { host, from: at, to: None, name: text(&event["state"]) });
            }
        }
        trace
    }

    /// Ends the host's present state, and begins another.
    fn enter(&mut self, state: State) {
        let mut earlier = self.states.iter_mut().rev();
        if let Some(before) = earlier.find(|it| it.host == state.host) {
            before.to = Some(state.from);
        }
        self.states.push(state);
    }
}

fn packet(event: &Value, sent: u64, from: String) -> Packet {
    let arrivals = event["arrived_ns"].as_array().cloned().unwrap_or_default();
    Packet {
        from,
        to: text(&event["to"]),
        sent,
        arrived: arrivals.iter().map(|it| it.as_u64().expect("a time")).collect(),
        what: text(&event["packet"]),
        fate: text(&event["fate"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
