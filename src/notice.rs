//! Tells an operator what goes wrong: one line a minute for each event at most, with the number it stands
//! for, so that no stranger can fill a log.

use crate::metrics::{Event, Kind, Metrics};
use std::time::{Duration, Instant};

const APART: Duration = Duration::from_mins(1);

/// What has been told so far, for all workers together.
#[derive(Debug)]
pub(crate) struct Notices {
    told: [Told; Event::ALL.len()],
    next: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    count: u64,
    at: Option<Instant>,
}

impl Notices {
    pub(crate) fn new() -> Self {
        Self { told: [Told::default(); Event::ALL.len()], next: None }
    }

    /// Tells what is new and not too soon; when there will be something to tell that was too soon.
    pub(crate) fn tell(&mut self, metrics: &Metrics, now: Instant) -> Option<Instant> {
        for (event, line) in self.lines(metrics, now) {
            match event.kind() {
                Kind::Error(_) => log::warn!("{line}"),
                _ if event == Event::TcpMadeRoom => log::warn!("{line}"),
                _ => log::info!("{line}"),
            }
        }
        self.next
    }

    fn lines(&mut self, metrics: &Metrics, now: Instant) -> Vec<(Event, String)> {
        self.next = None;
        let mut lines = Vec::new();
        for (event, told) in Event::ALL.iter().zip(&mut self.told) {
            let Some(notice) = event.notice() else { continue };
            let count = metrics.count(*event);
            match told.at.map(|at| at + APART) {
                _ if count == told.count => {}
                Some(again) if again > now => {
                    self.next = Some(self.next.map_or(again, |next| next.min(again)));
                }
                again => {
                    let since = if again.is_some() { " in the last minute or more" } else { "" };
                    let new = count - told.count;
                    lines.push((*event, format!("{}: {notice}: {new}{since}", event.transport())));
                    *told = Told { count, at: Some(now) };
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::IpVersion;

    #[test]
    fn a_line_a_minute_for_each_event_stands_for_all_of_them() {
        let (metrics, start) = (Metrics::default(), Instant::now());
        let mut notices = Notices::new();
        let mut lines = |after: u64| {
            let lines = notices.lines(&metrics, start + Duration::from_secs(after));
            (lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>(), notices.next)
        };
        metrics.worker(0).add(Event::UdpAnswered, IpVersion::V4);
        assert_eq!(lines(0), (vec![], None), "that is no trouble");
        metrics.worker(0).add(Event::UdpPortZero, IpVersion::V4);
        assert_eq!(lines(1).0, ["udp: ignored: from port 0: 1"]);
        for _ in 0..500 {
            metrics.worker(0).add(Event::UdpPortZero, IpVersion::V6);
        }
        metrics.worker(0).add(Event::UdpPortNfs, IpVersion::V6);
        let next = Some(start + Duration::from_secs(61));
        assert_eq!(lines(2), (vec!["udp: ignored: from port 2049: 1".into()], next));
        assert_eq!(lines(60), (vec![], next), "nothing new, and 500 still too soon");
        let told = "udp: ignored: from port 0: 500 in the last minute or more";
        assert_eq!(lines(61), (vec![told.into()], None));
        assert_eq!(lines(1000), (vec![], None));
    }
}
