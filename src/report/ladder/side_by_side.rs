//! Draws two ladders side by side.

use super::{Line, text};

/// Minimum width in columns of a terminal that shows two ladders side by side.
const MIN_WIDTH_FOR_TWO: usize = 100;
const GAP: usize = 4;

/// Returns the width in columns that each of two ladders with this number of hosts gets. Returns `None` if the terminal
/// is too narrow for two.
pub(crate) fn half_width(width: usize, hosts: usize) -> Option<usize> {
    // Minimum number of columns for each host after the first one.
    const MIN_COLUMNS: usize = (MIN_WIDTH_FOR_TWO - GAP) / 2;
    // A wider ladder would only have longer arrows.
    const MAX_COLUMNS: usize = 96;
    let half = (width.saturating_sub(GAP) / 2).min(MAX_COLUMNS);
    (half >= MIN_COLUMNS * hosts.saturating_sub(1).max(1)).then_some(half)
}

/// Puts two ladders side by side. `width` is the width of the left one.
pub(crate) fn side_by_side(left: &[Line], right: &[Line], width: usize) -> String {
    let nothing = Line::default();
    let both = (0..left.len().max(right.len())).map(|row| {
        let [left, right] = [left, right].map(|lines| lines.get(row).unwrap_or(&nothing));
        left.joined(width + GAP, right)
    });
    text(&both.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::{Form, draw};
    use super::*;
    use crate::duration::Unit;
    use crate::trace::{Action, Event, Fate, Host, HostId, Packet, Trace};
    use std::time::Duration;

    fn packet(trace: &mut Trace, from: HostId, to: HostId) {
        let fate = Fate::Arrived(vec![Duration::from_millis(20)]);
        let action = Action::Packet(Packet { to, octets: vec![0; 5], fate });
        trace.push(Event { at: Duration::ZERO, host: from, action });
    }

    #[test]
    fn two_stand_beside_each_other_within_the_width() {
        let host = |name: &str, last: u8| Host {
            name: name.into(),
            addresses: vec![[192, 0, 2, last].into()],
        };
        let mut trace = Trace::between(vec![host("client", 1), host("server", 2)]);
        packet(&mut trace, HostId(0), HostId(1));
        let mut longer = trace.clone();
        packet(&mut longer, HostId(1), HostId(0));
        for width in [MIN_WIDTH_FOR_TWO, 140] {
            let half = half_width(width, 2).expect("room");
            let [left, right] = [&trace, &longer]
                .map(|trace| draw(trace, None, "one", Unit::Milliseconds, Form::Ladder(half)));
            let both = side_by_side(&left, &right, half);
            let both = anstream::adapter::strip_str(&both).to_string();
            assert_eq!(both.lines().count(), 5, "{both}");
            assert!(both.lines().all(|line| line.chars().count() <= width), "{both}");
            let arrows: Vec<usize> = both.lines().map(|line| line.matches('▶').count()).collect();
            assert_eq!(arrows, [0, 0, 0, 2, 0], "{both}");
        }
    }

    #[test]
    fn two_need_room_and_those_with_more_hosts_need_more() {
        assert_eq!(
            (half_width(MIN_WIDTH_FOR_TWO - 1, 2), half_width(MIN_WIDTH_FOR_TWO, 2)),
            (None, Some(48))
        );
        assert_eq!((half_width(195, 3), half_width(196, 3)), (None, Some(96)));
        assert_eq!((half_width(195, 2), half_width(0, 0)), (Some(95), None));
    }
}
