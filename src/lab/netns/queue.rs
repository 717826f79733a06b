//! What is under way, by the time when it arrives.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Gives back what was put in when its time has come: the earliest first, and of two at the same time the
/// one that was put in first.
#[derive(Debug)]
pub(super) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    count: u64,
}

#[derive(Debug)]
struct Entry<T> {
    due: Duration,
    number: u64,
    what: T,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), count: 0 }
    }

    pub(super) fn push(&mut self, due: Duration, what: T) {
        self.heap.push(Entry { due, number: self.count, what });
        self.count += 1;
    }

    /// One whose time has come.
    pub(super) fn pop(&mut self, now: Duration) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.what)
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|entry| entry.due)
    }
}

impl<T> Ord for Entry<T> {
    /// The greatest is taken first, which is to be the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_earliest_comes_first_and_at_the_same_time_the_one_put_in_first() {
        let mut queue = Queue::new();
        for (due, what) in [(3, "last"), (1, "first"), (2, "second"), (2, "third")] {
            queue.push(due * MS, what);
        }
        let taken: Vec<_> = std::iter::from_fn(|| queue.pop(5 * MS)).collect();
        assert_eq!(taken, ["first", "second", "third", "last"]);
    }

    #[test]
    fn nothing_comes_before_its_time() {
        let mut queue = Queue::new();
        assert_eq!((queue.next(), queue.pop(MS)), (None, None));
        queue.push(2 * MS, "late");
        assert_eq!((queue.next(), queue.pop(MS)), (Some(2 * MS), None));
        assert_eq!(queue.pop(2 * MS), Some("late"));
    }
}
