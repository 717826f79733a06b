//! A student may hand in any file. Reading and grading must end without a panic, and a grade must be safe to print.
//!
//! The first octet of the input selects how the rest is used: as the complete file, as the answer to one item between
//! its quotes, in place of such an answer with its quotes, or in place of all answers.

#![no_main]

use daytime::internals::{empty_answers, grade_answers};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static EMPTY: LazyLock<String> = LazyLock::new(empty_answers);

fuzz_target!(|input: &[u8]| {
    let Some((how, input)) = input.split_first() else { return };
    let number = usize::from(how / 4);
    let file = match how % 4 {
        0 => input.to_vec(),
        1 => with_answer(number, &escaped(&String::from_utf8_lossy(input))).into_bytes(),
        2 => with_answer(number, &one_line(&String::from_utf8_lossy(input))).into_bytes(),
        _ => with_answers(input),
    };
    let grade = grade_answers(&file);
    assert!(how % 4 != 2 || grade.is_ok(), "one bad line costs one answer: {grade:?}");
    match grade {
        Ok(grade) => {
            assert!(grade.contains("exchange-tcp-time"), "{grade}");
            assert!(!grade.contains('\x1b'), "{grade:?}");
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            let is_safe = |text: &String| !text.chars().any(|it| it.is_control() && it != '\n');
            assert!(mistakes.iter().all(is_safe), "{mistakes:?}");
        }
    }
});

/// Returns a string in quotes, with all its characters as escape sequences.
fn escaped(text: &str) -> String {
    let text: String = text.chars().map(|it| format!("\\U{:08X}", u32::from(it))).collect();
    format!("\"{text}\"")
}

/// Returns a string without its line breaks.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Returns an answer file in which `text` replaces the quotes of the answer to the item with this number.
fn with_answer(number: usize, text: &str) -> String {
    let places: Vec<usize> = EMPTY.match_indices(" = ''\n").map(|(at, _)| at + 3).collect();
    let (mut file, at) = (EMPTY.clone(), places[number % places.len()]);
    file.replace_range(at..at + 2, text);
    file
}

/// Returns the header of an answer file, followed by these octets below `[answers]`.
fn with_answers(octets: &[u8]) -> Vec<u8> {
    let (header, _) = EMPTY.split_once("[answers]\n").expect("a header");
    [header.as_bytes(), b"[answers]\n", octets].concat()
}
