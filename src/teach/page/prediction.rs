//! A student's prediction, what the student observed, and the verdict.

/// A question of a lab with the student's answers. `daytime lab run --ask` makes them; a plain run has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StudentAnswer {
    pub question: String,
    /// What the student predicted.
    pub prediction: String,
    /// What the student saw in the run; `None` if the student entered nothing.
    pub observation: Option<String>,
    /// What the run shows.
    pub result: String,
    /// Whether the prediction was right.
    pub is_right: bool,
    /// The explanation of the chosen answer.
    pub reason: String,
    /// The packet, call or state that decides, with its number and time.
    pub decided_by: Option<String>,
}
