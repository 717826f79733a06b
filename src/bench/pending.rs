//! Questions of one socket that are unanswered: a value, without sockets and clocks.

use std::collections::VecDeque;
use std::time::Duration;

/// A question under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The moment from which its latency counts.
    pub due: Duration,
    /// When it was sent, from which the timeout counts.
    pub sent: Duration,
}

/// The unanswered questions, the oldest first. No answer tells which question it is for, so the oldest takes it.
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

    /// How many more may be asked.
    pub(super) fn room(&self) -> usize {
        self.window.saturating_sub(self.questions.len())
    }

    pub(super) fn asked(&mut self, question: Question) {
        self.questions.push_back(question);
    }

    /// The question that a datagram answers; `None` if it is late, or answers no question.
    pub(super) fn oldest(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// The next that has been unanswered for the timeout.
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
    fn the_oldest_takes_an_answer_and_no_question_takes_one_too_many() {
        let mut pending = Pending::new(2);
        pending.asked(question(1));
        pending.asked(question(2));
        assert_eq!((pending.room(), pending.len()), (0, 2));
        assert_eq!(pending.oldest(), Some(question(1)));
        assert_eq!(pending.oldest(), Some(question(2)));
        assert_eq!((pending.oldest(), pending.room()), (None, 2));
    }

    #[test]
    fn only_what_has_had_the_timeout_is_overdue() {
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
    fn the_timeout_counts_from_the_sending_though_it_was_due_before() {
        let mut pending = Pending::new(1);
        let late = Question { due: Duration::ZERO, sent: Duration::from_millis(80) };
        pending.asked(late);
        assert_eq!(pending.overdue(Duration::from_millis(100), TIMEOUT), None);
        assert_eq!(pending.overdue(Duration::from_millis(180), TIMEOUT), Some(late));
    }
}
