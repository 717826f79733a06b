//! A lab's text: its page in `docs/labs`. People read the complete page; the program prints parts of it.
//!
//! A page is Markdown: a title, the line `Level: basic. Time: 15 minutes.`, and the sections that [`read_section`]
//! reads. The comment after each sentence of a lesson names the grounds for that sentence ([`Ground::parse`]). `{delay:
//! 20 ms}` is a placeholder for an option's value, and contains the default value for readers of the page. The sections
//! `## Example` and `## Pictures` are only for readers of the page, and so is the list of right answers in `## Answers`.
//! Tests compare them with the program's output.
//!
//! `question::page` reads the section `## Questions`, whose format `docs/CONTRIBUTING.md` describes: each question is a
//! heading, a comment for the program, and a list of answers with their conditions and explanations.

use super::Engine;
use super::lesson::{Ground, Lesson};
use super::markdown::{Mistake, items, line, prose, strip_markup};
use super::question::{Question, page as question};
use serde::Serialize;

named! {
    /// Prior knowledge that a lab requires. The course in `docs/teaching` defines the levels.
    pub(crate) enum Level {
        Basic = "basic",
        Intermediate = "intermediate",
        Advanced = "advanced",
    }
}

/// The parts of a page that the program prints.
#[derive(Debug)]
pub(crate) struct LabText {
    pub level: Level,
    /// Number of minutes that a class needs to predict, run, observe and explain.
    pub minutes: u32,
    pub question: String,
    /// Sentences of theory with their sources.
    pub theory: Vec<Theory>,
    /// Descriptions of the experiment, each with the name of its engine.
    methods: Vec<(&'static str, String)>,
    /// Sentences to remember; a run prints those that its findings support.
    pub lessons: Vec<Lesson>,
    /// The differences from other systems and engines.
    pub other_systems: String,
    pub next: Vec<NextStep>,
    /// Questions that a student answers before and after a run.
    pub questions: Vec<Question>,
    /// Programs that the lab examines; shown as source text.
    pub programs: Vec<Program>,
}

/// A sentence of theory.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Theory {
    /// The sentence without its full stop.
    pub says: String,
    /// The source of the sentence: `RFC 9293, section 3.5`.
    pub source: String,
    /// Whether the sentence says more than the lab's question asks, so that no explanation has to name it.
    #[serde(skip)]
    pub is_beyond_question: bool,
}

/// One further experiment for the student.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NextStep {
    /// The command line, as the student types it.
    pub command: &'static str,
    /// The question that the output of the command answers.
    pub question: String,
    /// The answer, from the section `## Answers` of the page; shown on request only.
    pub answer: String,
}

/// A program that a lab shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Name of the program's file.
    pub name: &'static str,
    pub text: &'static str,
}

/// Option values to insert into a description, each with its placeholder's name: `delay` for `{delay: 20 ms}`.
pub(crate) type Values = Vec<(&'static str, String)>;

impl LabText {
    /// Reads the page of the lab with this name.
    ///
    /// # Panics
    /// Panics if the page has a mistake; the message names the line. A test reads every page.
    #[expect(clippy::panic, reason = "pages are part of the program, and a test reads each")]
    pub(crate) fn of(name: &str, page: &'static str) -> Self {
        read_page(name, page).unwrap_or_else(|Mistake { expected, at }| {
            let line = line(page, at);
            panic!("docs/labs/{name}.md:{line}: expected {expected}")
        })
    }

    fn new(level: Level, minutes: u32) -> Self {
        Self {
            level,
            minutes,
            question: String::new(),
            theory: Vec::new(),
            methods: Vec::new(),
            lessons: Vec::new(),
            other_systems: String::new(),
            next: Vec::new(),
            questions: Vec::new(),
            programs: Vec::new(),
        }
    }

    /// Returns the description of the experiment on an engine, with these values in place of the placeholders.
    pub(crate) fn method(&self, engine: Engine, values: &[(&str, String)]) -> String {
        let method = self.methods.iter().find(|(name, _)| *name == engine.name());
        fill(method.map_or("", |(_, method)| method), values)
    }
}

/// Replaces the placeholders in text with these values. For example, `{delay: 20 ms}` is the placeholder for `delay`.
pub(crate) fn fill(text: &str, values: &[(&str, String)]) -> String {
    let mut pieces = text.split('{');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (place, after) = piece.split_once('}').unwrap_or((piece, ""));
        let is_here = |(name, _): &&(&str, String)| place.split(": ").next() == Some(*name);
        match values.iter().find(is_here) {
            Some((_, value)) => filled.extend([value, after]),
            None => filled.extend(["{", piece]),
        }
    }
    filled
}

fn read_page(name: &str, page: &'static str) -> Result<LabText, Mistake> {
    let mistake = |expected| Mistake { expected, at: page };
    let mut sections = page.split("\n## ");
    let head = sections.next().unwrap_or_default();
    if head.lines().next().and_then(|title| title.strip_prefix("# ")) != Some(name) {
        return Err(mistake("the name of the lab as the title"));
    }
    let (level, minutes) = level_and_minutes(head)
        .ok_or_else(|| mistake("a line such as Level: basic. Time: 15 minutes."))?;
    let mut text = LabText::new(level, minutes);
    for section in sections {
        read_section(section, &mut text)?;
    }
    let LabText { question, theory, methods, lessons, other_systems, next, .. } = &text;
    let has_all = !question.is_empty() && !theory.is_empty() && !methods.is_empty();
    let has_all = has_all && !lessons.is_empty() && !other_systems.is_empty() && !next.is_empty();
    let has_all = has_all && next.iter().all(|step| !step.answer.is_empty());
    if has_all { Ok(text) } else { Err(mistake("every section but the programs")) }
}

/// Reads the line `Level: basic. Time: 15 minutes.`
fn level_and_minutes(head: &str) -> Option<(Level, u32)> {
    let line = head.lines().find_map(|line| line.strip_prefix("Level: "))?;
    let (level, minutes) = line.strip_suffix(" minutes.")?.split_once(". Time: ")?;
    Some((level.parse().ok()?, minutes.parse().ok()?))
}

fn read_section(section: &'static str, text: &mut LabText) -> Result<(), Mistake> {
    let (title, body) = section.split_once('\n').unwrap_or((section, ""));
    if let Some(at) = body.find("![").filter(|_| title != "Pictures") {
        return Err(Mistake { expected: "no picture outside Pictures", at: &body[at..] });
    }
    match title {
        "Question" => text.question.push_str(&prose(body)?),
        "Theory" => text.theory.extend(items(body, theory)?),
        "Questions" => text.questions.extend(question::questions(body)?),
        "Example" | "Pictures" => {}
        "What a run may teach" => text.lessons.extend(items(body, lesson)?),
        "What differs elsewhere" => text.other_systems.push_str(&prose(body)?),
        "What to try next" => text.next.extend(items(body, next)?),
        "Answers" => add_answers(body, &mut text.next)?,
        "Programs" => {
            for file in body.split("\n### ").skip(1) {
                let mistake =
                    Mistake { expected: "a name, then the program as ```python", at: file };
                text.programs.push(program(file).ok_or(mistake)?);
            }
        }
        _ => {
            let engine = title.strip_prefix("What is done on ");
            let mistake = Mistake { expected: "another title of a section", at: section };
            text.methods.push((engine.ok_or(mistake)?, prose(body)?));
        }
    }
    Ok(())
}

/// Adds the n-th answer in the section `## Answers`, below `### What to try next`, to the n-th question. The answers
/// below `### Questions` are only for readers of the page.
fn add_answers(body: &'static str, steps: &mut [NextStep]) -> Result<(), Mistake> {
    let mistake = Mistake { expected: "### What to try next below ## Answers", at: body };
    let (_, list) = body.split_once("\n### What to try next\n").ok_or(mistake)?;
    let answers = items(list, |answer| Ok(strip_markup(answer)))?;
    if answers.len() != steps.len() {
        return Err(Mistake { expected: "one answer for each question", at: body });
    }
    for (step, answer) in steps.iter_mut().zip(answers) {
        step.answer = answer;
    }
    Ok(())
}

/// Reads `A sentence (its source).` A comment may follow: `<!-- beyond the question -->`.
fn theory(item: &'static str) -> Result<Theory, &'static str> {
    let beyond = item.strip_suffix("<!-- beyond the question -->");
    let (is_beyond_question, item) = (beyond.is_some(), beyond.unwrap_or(item).trim_end());
    let is_whole = |source: &str| source.matches('(').count() == source.matches(')').count();
    let split = |text: &'static str| {
        let mut begins = text.match_indices('(').map(|(at, _)| text.split_at(at));
        begins.rfind(|(_, source)| is_whole(&source[1..]))
    };
    let (says, source) =
        item.strip_suffix(").").and_then(split).ok_or("a sentence that ends with (its source).")?;
    let (says, source) = (strip_markup(says), strip_markup(&source[1..]));
    Ok(Theory { says, source, is_beyond_question })
}

/// Reads `A sentence. <!-- ground; ground -->`
fn lesson(item: &'static str) -> Result<Lesson, &'static str> {
    let parts = item.strip_suffix("-->").and_then(|item| item.split_once("<!--"));
    let (says, grounds) = parts.ok_or("a sentence, then its grounds in a comment")?;
    let grounds: Option<_> = grounds.split(';').map(|it| Ground::parse(it.trim())).collect();
    let rests_on = grounds.ok_or("grounds such as tcp packets > 6")?;
    Ok(Lesson { says: strip_markup(says), rests_on })
}

/// Reads a line such as `` `a command`: a question? ``. The answer to the question is in another section.
fn next(item: &'static str) -> Result<NextStep, &'static str> {
    let parts = item.strip_prefix('`').and_then(|item| item.split_once("`: "));
    let parts = parts.filter(|(_, question)| question.ends_with('?'));
    let (command, question) = parts.ok_or("`a command`: a question that ends with ?")?;
    Ok(NextStep { command, question: strip_markup(question), answer: String::new() })
}

/// Reads a program: its name on a line, then its source in a block.
fn program(file: &'static str) -> Option<Program> {
    let (name, text) = file.split_once("\n\n```python\n")?;
    Some(Program { name, text: text.trim_end().strip_suffix("```")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# tick

A line for readers of the page.

Level: basic. Time: 15 minutes.

## Question

How
late?

## Theory

- The `clock` (of
  a tower) ticks (RFC 867; listen(2), POSIX (1994)).
- It is old (RFC 868). <!-- beyond the question -->

## What is done on sim

{count: 3} ticks, {delay: 20 ms}
each.

Twice.

## What is done on netns

Ticks.

## Example

- Anything <b>at all</b>.

## Pictures

![A clock.](pictures/tick.svg)

## What a run may teach

- It ticks. <!-- tcp ticks = 3 -->
- It ticks
  on.
  <!-- tcp ticks > 3;
       udp ticks as predicted -->

## What differs elsewhere

Nothing.

## What to try next

- `daytime query`: Is it
  late?

## Answers

### Questions

- How late? **Late**

### What to try next

- Yes, `later`
  than ever.

## Programs

### tick.py

```python
tick()

```
";

    #[test]
    fn each_section_of_a_page_is_read() {
        let text = LabText::of("tick", PAGE);
        assert_eq!((text.level, text.minutes), (Level::Basic, 15));
        assert_eq!((&*text.question, &*text.other_systems), ("How late?", "Nothing."));
        let says = "The clock (of a tower) ticks".to_owned();
        let source = "RFC 867; listen(2), POSIX (1994)".to_owned();
        let ticks = Theory { says, source, is_beyond_question: false };
        let (says, source) = ("It is old".to_owned(), "RFC 868".to_owned());
        assert_eq!(text.theory, [ticks, Theory { says, source, is_beyond_question: true }]);
        let lessons: Vec<_> =
            text.lessons.iter().map(|it| (&*it.says, it.rests_on.len())).collect();
        assert_eq!(lessons, [("It ticks.", 1), ("It ticks on.", 2)]);
        let (question, answer) = ("Is it late?".to_owned(), "Yes, later than ever.".to_owned());
        assert_eq!(text.next, [NextStep { command: "daytime query", question, answer }]);
        assert_eq!(text.programs, [Program { name: "tick.py", text: "tick()\n\n" }]);
    }

    #[test]
    fn the_method_has_the_values_of_options_in_their_places() {
        let text = LabText::of("tick", PAGE);
        let values = [("delay", "7 ms".to_owned()), ("other", "8".to_owned())];
        let method = text.method(Engine::Sim, &values);
        assert_eq!(method, "{count: 3} ticks, 7 ms each.\nTwice.");
        assert_eq!(text.method(Engine::Netns, &values), "Ticks.");
        assert_eq!(text.method(Engine::Loopback, &values), "");
    }

    #[test]
    fn a_mistake_in_a_page_is_reported_with_its_line() {
        for (right, wrong, number) in [
            ("# tick", "# tock", 1),
            ("Level: basic", "Level: hard", 1),
            ("15 minutes", "long", 1),
            ("## Theory", "## Theories", 12),
            ("How\n", "- How\n", 9),
            (" (RFC", " [RFC", 14),
            ("<!-- beyond the question", "<!-- beyond", 16),
            ("Twice.", "```", 23),
            ("a tower) ticks", "a ![tower](tower.svg)", 15),
            ("  on.", "  ![on](on.svg).", 41),
            ("## Theory\n\n", "## Theory\n\nThese:\n\n", 14),
            ("tcp ticks = 3", "tcp ticks ~ 3", 39),
            ("predicted -->", "predicted", 40),
            ("- `daytime query`: Is", "- daytime query: Is", 51),
            ("  late?", "  late.", 51),
            ("### What to try next", "### What", 56),
            ("next\n\n- Yes", "next\n\n- No\n- Yes", 56),
            ("\n## Answers", "\n## Pictures", 1),
            ("## What differs elsewhere\n\nNothing.\n", "", 1),
            ("```python", "```", 67),
        ] {
            let page: &'static str = PAGE.replacen(right, wrong, 1).leak();
            let mistake = read_page("tick", page).map(drop).map_err(|it| line(page, it.at));
            assert_eq!(mistake, Err(number), "{wrong:?} for {right:?}");
        }
    }
}
