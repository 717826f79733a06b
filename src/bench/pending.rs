//! One UDP socket's unanswered queries. This module uses no sockets and no clocks.

use std::collections::VecDeque;
use std::time::Duration;

/// An unanswered query. Both times count from the start of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Start of the latency: the time at which the query was due.
    pub due: Duration,
    /// Start of the timeout: the time at which the query was sent.
    pub sent: Duration,
}

/// The unanswered queries, oldest first. An answer does not identify its query, so it is assigned to the oldest one.
#[derive(Debug)]
pub(super) struct Pending {
    questions: VecDeque<Question>,
    window: usize,
}

impl Pending {
    pub(super) fn new(window: usize) -> Self {
        Self { questions: VecDeque::with_capacity(window), window }
    }

    pub(super) fn len(&self) -> usize {
        self.questions.len()
    }

    /// Returns the number of further queries that the window permits.
    pub(super) fn room(&self) -> usize {
        self.window.saturating_sub(self.questions.len())
    }

    pub(super) fn asked(&mut self, question: Question) {
        self.questions.push_back(question);
    }

    /// Removes and returns the oldest query, to which a received datagram is assigned. Returns `None` if no query is
    /// unanswered, which means that the datagram is late or extra.
    pub(super) fn oldest(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// Removes and returns the oldest query if it has timed out.
    pub(super) fn overdue(&mut self, now: Duration, timeout: Duration) -> Option<Question> {
        let oldest = self.questions.front()?;
        if now < oldest.sent + timeout { None } else { self.questions.pop_front() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    fn question(milliseconds: u64) -> Question {
        let sent = Duration::from_millis(milliseconds);
        Question { due: sent, sent }
    }

    #[test]
    fn an_answer_belongs_to_the_oldest_question_and_an_extra_one_to_none() {
        let mut pending = Pending::new(2);
        pending.asked(question(1));
        pending.asked(question(2));
        assert_eq!((pending.room(), pending.len()), (0, 2));
        assert_eq!(pending.oldest(), Some(question(1)));
        assert_eq!(pending.oldest(), Some(question(2)));
        assert_eq!((pending.oldest(), pending.room()), (None, 2));
    }

    #[test]
    fn a_question_is_overdue_after_its_timeout() {
        let mut pending = Pending::new(3);
        for sent in [0, 50, 90] {
            pending.asked(question(sent));
        }
        let now = Duration::from_millis(150);
        assert_eq!(pending.overdue(Duration::from_millis(99), TIMEOUT), None);
        assert_eq!(pending.overdue(now, TIMEOUT), Some(question(0)));
        assert_eq!(pending.overdue(now, TIMEOUT), Some(question(50)));
        assert_eq!(pending.overdue(now, TIMEOUT), None);
        assert_eq!(pending.len(), 1);
    }

    #[test]
    fn the_timeout_counts_from_the_sending_and_not_from_the_scheduled_time() {
        let mut pending = Pending::new(1);
        let late = Question { due: Duration::ZERO, sent: Duration::from_millis(80) };
        pending.asked(late);
        assert_eq!(pending.overdue(Duration::from_millis(100), TIMEOUT), None);
        assert_eq!(pending.overdue(Duration::from_millis(180), TIMEOUT), Some(late));
    }
}
