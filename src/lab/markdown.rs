//! The parts of Markdown that a lab's page uses: paragraphs and lists.

/// An error in a page.
#[derive(Debug)]
pub(super) struct Mistake {
    pub expected: &'static str,
    /// The rest of the page, from the mistake to the end.
    pub at: &'static str,
}

/// Reads a section of paragraphs. Returns each paragraph on one line.
pub(super) fn prose(body: &'static str) -> Result<String, Mistake> {
    let is_other = |line: &&str| ["#", "- ", "<", "|", "```"].iter().any(|it| line.starts_with(it));
    if let Some(at) = body.lines().find(is_other) {
        return Err(Mistake { expected: "only paragraphs", at });
    }
    let paragraphs: Vec<String> = body.trim().split("\n\n").map(strip_markup).collect();
    Ok(paragraphs.join("\n"))
}

/// Reads a section that is one list, item by item.
pub(super) fn items<T>(body: &'static str, read: Item<T>) -> Result<Vec<T>, Mistake> {
    let is_of_list =
        |line: &&str| line.is_empty() || line.starts_with("- ") || line.starts_with("  ");
    let mut items = body.split("\n- ");
    let begin = items.next().filter(|begin| !begin.is_empty());
    if let Some(at) = begin.or_else(|| body.lines().find(|line| !is_of_list(line))) {
        return Err(Mistake { expected: "only a list", at });
    }
    items.map(|at| read(at.trim()).map_err(|expected| Mistake { expected, at })).collect()
}

/// A function that reads an item, or returns the expected format as an error.
pub(super) type Item<T> = fn(&'static str) -> Result<T, &'static str>;

/// Returns text for a terminal: on one line, without backticks.
pub(super) fn strip_markup(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "")
}

/// Returns the number of the line at which a part of a page begins (1-based).
pub(super) fn line(page: &str, at: &str) -> usize {
    let from = at.trim_start().as_ptr().addr() - page.as_ptr().addr();
    page[..from].matches('\n').count() + 1
}
