//! Folds repeated rows: a group of rows that repeats is drawn once, and a line below it, the fold, shows the number of
//! repetitions and the time that they span.
//!
//! Two rows count as equal if they differ only in their times. A retransmission is never folded, because the diagram is
//! meant to show when it happens. Groups that follow each other at growing intervals are not folded either, because
//! they may be retries with back-off.

use super::rows::{Arrow, ArrowEnd, ArrowKind, Fold, FoldKind, Item, Row};
use crate::trace::{Host, HostId};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Maximum number of rows in a group.
const MAX_GROUP_ROWS: usize = 12;
/// Minimum number of equal groups to fold.
const MIN_GROUPS: usize = 3;
/// Maximum number of different groups that may alternate within one fold.
const MAX_GROUP_FORMS: usize = 3;
/// Maximum number of groups to examine in search of frequent ones.
const MAX_SAMPLED_GROUPS: usize = 64;
/// Minimum number of rows that folding must save.
const MIN_HIDDEN_ROWS: usize = 4;
/// Minimum interval between two groups that counts as a deliberate wait. A shorter interval may just be the time that
/// the calls take.
const MIN_WAIT: Duration = Duration::from_millis(20);
/// Two ladders are compared only if each has at most this number of rows, because the comparison takes time
/// proportional to the product of both numbers.
const MAX_COMPARED_ROWS: usize = 400;

/// Another ladder that a fold can refer to by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference<'a> {
    pub rows: &'a [Row],
    pub name: &'a str,
}

/// Maximum number of hosts in a ladder that refers to another ladder. Among more hosts, the reader looks for the host that
/// acts, such as the server that answers, and a reference would hide this host.
const MAX_REFERRING_HOSTS: usize = 2;

/// Folds runs of rows that also appear in the other ladder, and then groups that repeat. `hosts` are the hosts that the
/// rows refer to.
pub(super) fn fold(rows: &[Row], hosts: &[Host], other: Option<Reference<'_>>) -> Vec<Row> {
    let mut shapes = Shapes::default();
    let ids = shapes.ids(rows);
    let other = other.filter(|_| hosts.len() <= MAX_REFERRING_HOSTS);
    let (name, other) = other.map_or(("", Vec::new()), |it| (it.name, shapes.ids(it.rows)));
    let mut folded = Vec::new();
    let mut begin = 0;
    for run in common_runs(&ids, &other) {
        folded.extend(fold_repeats(&rows[begin..run.start], &ids[begin..run.start], hosts));
        let same = FoldKind::SameAs(name.to_owned());
        folded.push(folded_row(same, &rows[run.clone()], run.len(), 0));
        begin = run.end;
    }
    folded.extend(fold_repeats(&rows[begin..], &ids[begin..], hosts));
    folded
}

/// Returns the row for a fold that spans the rows `hidden`. The row counts their events, except those in the first
/// `shown` rows, which are drawn.
fn folded_row(kind: FoldKind, hidden: &[Row], rows: usize, shown: usize) -> Row {
    let time = |row: Option<&Row>| row.map_or(Duration::ZERO, |row| row.at);
    let (from, until) = (time(hidden.first()), time(hidden.last()));
    let events = hidden[shown..].iter().map(|row| row.events).sum();
    Row { at: from, item: Item::Folded(Fold { kind, rows, from, until }), events }
}

fn fold_repeats(rows: &[Row], ids: &[usize], hosts: &[Host]) -> Vec<Row> {
    let mut folded = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let groups = groups_at(&ids[at..]);
        let is_regular = |form: &GroupForm| !has_growing_intervals(form, &rows[at..]);
        let groups = if groups.iter().all(is_regular) { groups } else { Vec::new() };
        let Some(end) = groups.iter().filter_map(|form| form.ranges.last()).map(|it| it.end).max()
        else {
            folded.push(rows[at].clone());
            at += 1;
            continue;
        };
        draw_groups(&groups, &rows[at..at + end], hosts, &mut folded);
        at += end;
    }
    folded
}

/// Adds the first occurrence of each group, followed by its fold. If there are two groups that differ only in one host,
/// the second one is not drawn: the fold names its host and counts its occurrences.
fn draw_groups(groups: &[GroupForm], rows: &[Row], hosts: &[Host], folded: &mut Vec<Row>) {
    if let [first, second] = groups
        && let Some(host) = other_host(first.first_of(rows), second.first_of(rows))
        && let Some(Host { name: other, .. }) = hosts.get(host.0)
    {
        let first_rows = first.first_of(rows);
        folded.extend_from_slice(first_rows);
        let (times, other_times) = (first.ranges.len(), second.ranges.len());
        let kind = FoldKind::Mirrored { times, other: other.clone(), other_times };
        folded.push(folded_row(kind, rows, first_rows.len(), first_rows.len()));
        return;
    }
    for form in groups {
        form.draw(rows, groups.len() > 1, folded);
    }
}

/// If two groups differ only in that one host takes another's place, returns that host from the second group.
fn other_host(first: &[Row], second: &[Row]) -> Option<HostId> {
    let caller = |row: &Row| match &row.item {
        Item::Call(host, _) | Item::State(host, _) => Some(*host),
        Item::Arrow(_) | Item::Folded(_) => None,
    };
    let pairs = || first.iter().zip(second);
    let swap = pairs().find_map(|(one, other)| {
        let hosts = (caller(one)?, caller(other)?);
        (hosts.0 != hosts.1).then_some(hosts)
    })?;
    let is_mirrored = pairs().all(|(one, other)| swapped(&one.item, swap) == shape(&other.item));
    (first.len() == second.len() && is_mirrored).then_some(swap.1)
}

/// Returns a row's content without its times, and with the two hosts swapped.
fn swapped(item: &Item, (one, other): (HostId, HostId)) -> Item {
    let swap = |host: &mut HostId| {
        *host = match *host {
            host if host == one => other,
            host if host == other => one,
            host => host,
        };
    };
    let mut item = shape(item);
    match &mut item {
        Item::Call(host, _) | Item::State(host, _) => swap(host),
        Item::Arrow(Arrow { from, to, .. }) => [from, to].into_iter().for_each(swap),
        Item::Folded(_) => {}
    }
    item
}

/// Returns a row's content without its times.
fn shape(item: &Item) -> Item {
    let mut shape = item.clone();
    if let Item::Arrow(Arrow { end: ArrowEnd::Arrived(at), .. }) = &mut shape {
        *at = Duration::ZERO;
    }
    shape
}

/// Whether each wait between two groups is clearly longer than the wait before it.
fn has_growing_intervals(form: &GroupForm, rows: &[Row]) -> bool {
    let starts: Vec<Duration> = form.ranges.iter().map(|range| rows[range.start].at).collect();
    let waits: Vec<Duration> =
        starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let grows = |pair: &[Duration]| pair[1] >= MIN_WAIT && 2 * pair[1] > 3 * pair[0];
    !waits.is_empty() && waits.windows(2).all(grows)
}

/// A group of rows that repeats. The diagram shows the group once, and a fold says how often the group occurs.
#[derive(Debug)]
struct GroupForm {
    /// The row numbers of each occurrence.
    ranges: Vec<Range<usize>>,
}

impl GroupForm {
    /// Returns the rows of the first occurrence.
    fn first_of<'a>(&self, rows: &'a [Row]) -> &'a [Row] {
        self.ranges.first().map_or(&[], |range| &rows[range.clone()])
    }

    /// Adds the rows of the first occurrence, and a fold for all occurrences.
    fn draw(&self, rows: &[Row], alternates: bool, folded: &mut Vec<Row>) {
        let Some(first) = self.ranges.first() else { return };
        folded.extend_from_slice(&rows[first.clone()]);
        let all: Vec<Row> =
            self.ranges.iter().flat_map(|range| &rows[range.clone()]).cloned().collect();
        let times = self.ranges.len();
        let kind =
            if alternates { FoldKind::Alternating(times) } else { FoldKind::Repeated(times) };
        folded.push(folded_row(kind, &all, first.len(), first.len()));
    }
}

/// Returns the groups that repeat, beginning at the first row. Returns no group if folding would save too few rows.
fn groups_at(ids: &[usize]) -> Vec<GroupForm> {
    let one_form = periodic(ids);
    let several = alternating(ids);
    let rows = |forms: &[GroupForm]| -> usize {
        forms.iter().flat_map(|form| &form.ranges).map(ExactSizeIterator::len).sum()
    };
    let chosen = if rows(&several) > rows(&one_form) { several } else { one_form };
    let drawn: usize = chosen.iter().map(|form| form.ranges[0].len() + 1).sum();
    if rows(&chosen) >= drawn + MIN_HIDDEN_ROWS { chosen } else { Vec::new() }
}

/// Looks for one group that repeats without interruption. Chooses the group length whose repetitions cover the most
/// rows.
fn periodic(ids: &[usize]) -> Vec<GroupForm> {
    let repeats = |length: usize| {
        let group = &ids[..length];
        ids.chunks_exact(length).take_while(|it| *it == group).count()
    };
    let lengths = 1..=MAX_GROUP_ROWS.min(ids.len());
    let repeated = lengths.map(|length| (length, repeats(length)));
    let repeated = repeated.filter(|(_, times)| *times >= MIN_GROUPS);
    let best = repeated.max_by_key(|(length, times)| (length * times, usize::MAX - length));
    let form = best.map(|(length, times)| GroupForm {
        ranges: (0..times).map(|number| number * length..(number + 1) * length).collect(),
    });
    form.into_iter().collect()
}

/// Looks for several groups that begin with the same row and follow each other in any order.
fn alternating(ids: &[usize]) -> Vec<GroupForm> {
    let mut forms: Vec<(&[usize], GroupForm)> = frequent_groups(ids)
        .into_iter()
        .map(|group| (group, GroupForm { ranges: Vec::new() }))
        .collect();
    let mut at = 0;
    while let Some((group, form)) = forms.iter_mut().find(|(group, _)| ids[at..].starts_with(group))
    {
        form.ranges.push(at..at + group.len());
        at += group.len();
    }
    let is_frequent = forms.iter().all(|(_, form)| form.ranges.len() >= MIN_GROUPS);
    if !is_frequent {
        return Vec::new();
    }
    forms.sort_by_key(|(_, form)| form.ranges[0].start);
    forms.into_iter().map(|(_, form)| form).collect()
}

/// Returns the frequent groups that begin with the first row in `ids`, longest first.
fn frequent_groups(ids: &[usize]) -> Vec<&[usize]> {
    let Some(first) = ids.first() else { return Vec::new() };
    let sampled = ids.iter().take(MAX_SAMPLED_GROUPS * MAX_GROUP_ROWS);
    let starts = sampled.enumerate().filter(|(_, id)| *id == first).map(|(at, _)| at);
    let starts: Vec<usize> = starts.take(MAX_SAMPLED_GROUPS).collect();
    let mut counts: BTreeMap<&[usize], usize> = BTreeMap::new();
    for pair in starts.windows(2).take_while(|pair| pair[1] - pair[0] <= MAX_GROUP_ROWS) {
        *counts.entry(&ids[pair[0]..pair[1]]).or_default() += 1;
    }
    let frequent = counts.into_iter().filter(|(_, count)| *count >= MIN_GROUPS);
    let mut groups: Vec<&[usize]> = frequent.map(|(group, _)| group).collect();
    groups.sort_by_key(|group| usize::MAX - group.len());
    groups.truncate(MAX_GROUP_FORMS);
    groups
}

/// Returns the runs of rows that appear in both ladders in the same order.
fn common_runs(ids: &[usize], other: &[usize]) -> Vec<Range<usize>> {
    if ids.len().max(other.len()) > MAX_COMPARED_ROWS {
        return Vec::new();
    }
    let Some((here, there)) = longest_common_run(ids, other) else { return Vec::new() };
    let before = common_runs(&ids[..here.start], &other[..there.start]);
    let after = common_runs(&ids[here.end..], &other[there.end..]);
    let after = after.into_iter().map(|run| run.start + here.end..run.end + here.end);
    before.into_iter().chain([here.clone()]).chain(after).collect()
}

/// Returns the positions, in both ladders, of the longest run of rows that they have in common. Returns `None` if
/// folding it would save too few rows.
fn longest_common_run(ids: &[usize], other: &[usize]) -> Option<(Range<usize>, Range<usize>)> {
    let mut lengths = vec![0; other.len() + 1];
    let mut best = (0, 0, 0);
    for (here, id) in ids.iter().enumerate() {
        // Goes from right to left, because each entry needs its left neighbour's value from the previous row.
        for there in (0..other.len()).rev() {
            lengths[there + 1] = if *id == other[there] { lengths[there] + 1 } else { 0 };
            if lengths[there + 1] > best.0 {
                best = (lengths[there + 1], here + 1, there + 1);
            }
        }
    }
    let (length, here, there) = best;
    (length > MIN_HIDDEN_ROWS).then(|| (here - length..here, there - length..there))
}

/// Assigns a number to each row. Rows that differ only in their times get the same number, except that each
/// retransmission gets its own number.
#[derive(Debug, Default)]
struct Shapes {
    known: BTreeMap<Item, usize>,
    /// Number of retransmissions already found; each of them counts as different from all other rows.
    unique: usize,
}

impl Shapes {
    fn ids(&mut self, rows: &[Row]) -> Vec<usize> {
        rows.iter().map(|row| self.id(&row.item)).collect()
    }

    fn id(&mut self, item: &Item) -> usize {
        if let Item::Arrow(Arrow { kind: ArrowKind::Retransmitted, .. }) = item {
            self.unique += 1;
            return usize::MAX - self.unique;
        }
        let next = self.known.len();
        *self.known.entry(shape(item)).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;
    use crate::trace::HostId;

    /// Returns one row per letter, with times one millisecond apart.
    fn rows(letters: &str) -> Vec<Row> {
        let row = |(at, letter): (u64, char)| Row {
            at: Duration::from_millis(at),
            item: Item::Call(HostId(0), letter.to_string()),
            events: 1,
        };
        (0..).zip(letters.chars()).map(row).collect()
    }

    /// Returns the letters of the drawn rows and, for each fold, its number of rows, its kind and the time that it
    /// spans.
    fn folded(letters: &str, other: &str) -> String {
        let short = |Fold { kind, rows, from, until }: Fold| {
            format!(" [{rows} {kind:?} {}-{}] ", from.as_millis(), until.as_millis())
        };
        let words = |row: Row| match row.item {
            Item::Folded(fold) => short(fold),
            Item::Call(_, letter) => letter,
            Item::State(..) | Item::Arrow(_) => String::new(),
        };
        let other = rows(other);
        let other = Reference { rows: &other, name: "the first" };
        fold(&rows(letters), &[], Some(other)).into_iter().map(words).collect()
    }

    #[test]
    fn a_group_of_rows_is_drawn_once_with_its_count_and_its_span() {
        assert_eq!(folded("xabcabcabcy", ""), "xabc [3 Repeated(3) 1-9] y");
        assert_eq!(folded("aaaaaaay", ""), "a [1 Repeated(7) 0-6] y");
    }

    #[test]
    fn the_line_of_a_fold_has_its_rows_its_count_and_its_span() {
        let words = |kind, rows| {
            Fold { kind, rows, from: Duration::ZERO, until: Duration::ZERO }.words("1 to 9 ms")
        };
        mentions(&words(FoldKind::Repeated(7), 1), &["this row", "× 7", "1 to 9 ms"]);
        mentions(&words(FoldKind::Repeated(4), 3), &["3 rows", "× 4", "1 to 9 ms"]);
        let mixed = words(FoldKind::Alternating(4), 3);
        mentions(&mixed, &["3 rows", "× 4", "mixed order", "1 to 9 ms"]);
        let same = words(FoldKind::SameAs("the first".to_owned()), 6);
        mentions(&same, &["6 rows", "the first", "1 to 9 ms"]);
    }

    #[test]
    fn retries_after_longer_and_longer_waits_are_not_folded() {
        let send = |at: u64| Row {
            at: Duration::from_millis(at),
            item: Item::Call(HostId(0), "send(0)".to_owned()),
            events: 1,
        };
        let backoff = [0, 200, 600, 1400, 3000, 6200, 12_600].map(send);
        assert_eq!(fold(&backoff, &[], None).len(), 7);
        let steady = [0, 200, 400, 600, 800, 1000, 1200].map(send);
        assert_eq!(fold(&steady, &[], None).len(), 2);
    }

    #[test]
    fn a_fold_that_would_save_less_than_four_rows_is_not_made() {
        assert_eq!(folded("xaaaaay", ""), "xaaaaay");
        assert_eq!(folded("abcdabcd", ""), "abcdabcd");
    }

    #[test]
    fn a_row_that_differs_ends_the_fold_and_is_drawn() {
        let drawn = folded("ababababacababab", "");
        assert_eq!(drawn, "ab [2 Repeated(4) 0-7] acababab");
    }

    #[test]
    fn groups_in_mixed_order_are_drawn_once_each() {
        let drawn = folded("xacabcacacabcabcacy", "");
        assert_eq!(drawn, "xac [2 Alternating(4) 1-17] abc [3 Alternating(3) 3-15] y");
    }

    #[test]
    fn of_two_groups_that_differ_in_a_host_one_is_drawn() {
        let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
        let hosts = ["client", "first server", "second server"].map(host);
        let row = |host: usize, call: &str| Row {
            at: Duration::from_millis(5),
            item: Item::Call(HostId(host), call.to_owned()),
            events: 1,
        };
        let groups = |calls: [&str; 2], servers: &[usize]| -> Vec<Row> {
            let group = |server: &usize| [row(0, "ask"), row(*server, calls[server - 1])];
            servers.iter().flat_map(group).collect()
        };
        let servers = [2, 1, 1, 2, 2, 1, 2];
        let drawn = fold(&groups(["answer", "answer"], &servers), &hosts, None);
        assert_eq!(drawn[..2], groups(["answer", "answer"], &[2]));
        let [.., Row { item: Item::Folded(fold), events: 12, .. }] = &drawn[..] else {
            panic!("{drawn:?}")
        };
        let words = fold.words("0 to 5");
        assert_eq!(words, "these 2 rows × 4, with the first server × 3, 0 to 5");
        assert_eq!(drawn.len(), 3, "{drawn:?}");
        let others = super::fold(&groups(["answer", "refuse"], &servers), &hosts, None);
        assert_eq!(others.len(), 6, "each server does something else: {others:?}");
    }

    #[test]
    fn rows_that_another_ladder_has_too_are_one_line() {
        let drawn = folded("sabcdeft", "abcdefu");
        assert_eq!(drawn, "s [6 SameAs(\"the first\") 1-6] t");
        assert_eq!(folded("sabcdt", "abcdu"), "sabcdt");
    }

    #[test]
    fn among_three_hosts_each_row_is_drawn_so_that_the_reader_sees_which_host_acts() {
        let hosts = |count| vec![Host { name: "a host".into(), addresses: Vec::new() }; count];
        let rows = rows("abcdef");
        let other = Reference { rows: &rows, name: "the first" };
        let drawn = |count| fold(&rows, &hosts(count), Some(other)).len();
        assert_eq!([2, 3].map(drawn), [1, 6]);
    }

    #[test]
    fn every_event_is_drawn_or_counted_in_a_fold() {
        let letters = "xacabcacacabcabcacyyyyyyyyzabcdef";
        let other = Reference { rows: &rows("abcdef"), name: "the first" };
        let drawn = fold(&rows(letters), &[], Some(other));
        let all: u64 = drawn.iter().map(|row| row.events).sum();
        assert_eq!(all, letters.len() as u64);
    }

    #[test]
    fn a_retransmission_is_never_folded() {
        let arrow = |at: u64| {
            let (label, payload) = ("SYN".to_owned(), String::new());
            let (end, kind) = (ArrowEnd::Unknown, ArrowKind::Retransmitted);
            let (from, to, is_error) = (HostId(0), HostId(1), false);
            let item = Item::Arrow(Arrow { from, to, label, payload, is_error, end, kind });
            Row { at: Duration::from_secs(at), item, events: 1 }
        };
        let rows: Vec<Row> = (0..20).map(arrow).collect();
        assert_eq!(fold(&rows, &[], Some(Reference { rows: &rows, name: "the first" })), rows);
    }
}
