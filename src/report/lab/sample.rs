//! A sample lab, for the tests of what draws labs.

use super::FinishedRun;
use crate::duration::Unit;
use crate::lab::{
    Engine, Lab, LabOption, LabOptions, Obstacle, Prediction, Procedure, Run, Setting, Text, Value,
    run,
};
use crate::trace::{Event, Fate, Host, HostId, Loss, Packet, Trace, What};
use crate::transport::Transport;
use std::sync::LazyLock;
use std::time::Duration;

/// Its page.
const PAGE: &str = "\
# made-up

## Question

Does it hold, \"whatever\" comes?

## Theory

- What is sent may be lost (RFC 768).
- TCP sends it
  again. `Twice` (or more often) even (RFC 9293 (2022), section 3.8.1).

## What is done on sim

A packet is sent,
{delay: 20 ms} long.

Then {loss: 0 %} are lost.

## What is done on netns

A real packet is sent.

## Example

Anything.

## What a run may teach

- Every octet came. <!-- tcp octets that came = 26 -->
- Some octets came.
  <!-- tcp octets that came > 0;
       udp what came = \"nothing\" -->

## What differs elsewhere

Nowhere else.

## What to try next

- `daytime time`: Whether it
  is late.

## Programs

### ask.py

```python
if True:
    ask()
```
";

pub(super) static LAB: Lab = Lab {
    name: "made-up",
    text: LazyLock::new(|| Text::of("made-up", PAGE)),
    time_unit: Unit::Milliseconds,
    procedures: &[
        Procedure {
            engine: Engine::Sim,
            uses_seed: |setting| setting.options.loss.is_some(),
            options: &[LabOption::Delay.within(0..=1000), LabOption::Loss.within(0..=100)],
            values: |setting| {
                let loss = setting.options.loss.unwrap_or_default();
                vec![("delay", "20 ms".to_owned()), ("loss", format!("{loss} %"))]
            },
            predict,
            run: |setting, run| {
                observe(setting, run);
                Ok(())
            },
        },
        Procedure::new(Engine::Netns, predict, |_, _| {
            Err(Obstacle::Missing("no namespaces here, run it as root".into()))
        })
        .with(&[LabOption::Delay.within(0..=1000)], |_| Vec::new()),
    ],
};

fn predict(_: &Setting) -> Vec<Prediction> {
    vec![
        Prediction::is(Transport::Tcp, "octets that came", (26, "octet")),
        Prediction::is(Transport::Udp, "what came", "nothing"),
    ]
}

/// The loss decides whether the prediction holds.
fn observe(setting: &Setting, run: &mut Run) {
    let lost = setting.options.loss.is_some();
    run.observe(
        Transport::Tcp,
        "octets that came",
        Value::from((if lost { 20 } else { 26 }, "octet")),
    );
    run.observe(Transport::Udp, "what came", "nothing");
    run.show(Transport::Tcp, "", trace(Fate::Arrived(vec![Duration::from_millis(20)])));
    run.show(Transport::Udp, "once", trace(Fate::Lost(Loss::Chance)));
}

fn trace(fate: Fate) -> Trace {
    let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
    let mut trace = Trace::between(vec![host("client"), host("server")]);
    let what = What::Packet(Packet { to: HostId(1), octets: vec![0xff, 0x1b], fate });
    trace.push(Event { at: Duration::ZERO, host: HostId(0), what });
    let what = What::Call { call: "recv(10)".into(), outcome: "EAGAIN".into() };
    trace.push(Event { at: Duration::from_millis(30), host: HostId(0), what });
    trace
}

/// A run of it, which took a second.
pub(super) fn done(engine: Engine, options: LabOptions) -> FinishedRun {
    let setting = Setting { seed: 867, options };
    let procedure = LAB.procedure_on(engine).expect("it runs there");
    FinishedRun {
        report: run(&LAB, procedure, &setting),
        took: Duration::from_secs(1),
        captures: None,
    }
}

/// One that is as predicted, one that differs, and one that cannot be had here.
pub(super) fn sample_runs() -> [FinishedRun; 3] {
    let lossy = LabOptions { loss: Some(30.0), ..LabOptions::default() };
    [
        done(Engine::Sim, LabOptions::default()),
        done(Engine::Sim, lossy),
        done(Engine::Netns, LabOptions::default()),
    ]
}
