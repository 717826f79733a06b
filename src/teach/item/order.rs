//! An item that asks for the order of events in time.

use super::letter;

/// Events that the student puts into the right order. All labels differ, and no two events have the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Labels in the order in which they are shown, which is random.
    pub labels: Vec<String>,
    /// Indices into `labels`, in the right order.
    pub right: Vec<usize>,
    /// The rule that decides the order.
    pub explanation: String,
}

impl Order {
    /// Returns the labels in the right order.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &str> {
        self.right.iter().filter_map(|at| self.labels.get(*at)).map(String::as_str)
    }

    /// Iterates over the labels as they are shown, each with its place in the right order, from 1.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&str, usize)> {
        let place = |label: usize| self.right.iter().position(|it| *it == label).map(|it| it + 1);
        let labels = self.labels.iter().enumerate();
        labels.filter_map(move |(at, label)| Some((label.as_str(), place(at)?)))
    }

    pub(crate) fn right_answer(&self) -> String {
        let letters: Vec<String> = self.right.iter().map(|at| letter(*at).to_string()).collect();
        letters.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_has_the_letters_of_the_labels_in_the_right_order() {
        let labels = ["ACK", "SYN", "SYN, ACK"].map(str::to_owned).to_vec();
        let order = Order { labels, right: vec![1, 2, 0], explanation: String::new() };
        assert_eq!(order.right_answer(), "B C A");
        assert_eq!(order.in_order().collect::<Vec<_>>(), ["SYN", "SYN, ACK", "ACK"]);
        assert_eq!(order.places().collect::<Vec<_>>(), [("ACK", 3), ("SYN", 1), ("SYN, ACK", 2)]);
    }
}
