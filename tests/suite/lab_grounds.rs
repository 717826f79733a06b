//! Tests which sentences the lesson of a run has. A sentence is found by its grounds, the findings that it rests on, so
//! its wording is free. A snapshot shows each sentence with its grounds.

#[cfg(target_os = "linux")]
use crate::lab_lessons::REFUTED_BY;
#[cfg(target_os = "linux")]
use crate::support::assert_screen;
use crate::support::{daytime, good};
use serde_json::Value;

const MORE_ANSWERS: &str = "udp random: reply in 4 tries: more than in udp random: reply in 1 try";

/// Options of a run, a ground of a sentence that its lesson has, and a ground that no sentence of it has. The sentences
/// themselves are in the snapshot of [`each_sentence_of_a_lesson_has_its_grounds`].
const RESTS_ON: [(&str, &str, &str); 20] = [
    (
        "loss --loss 100 --count 10",
        "tcp random: without a reply: more than 0",
        "tcp random: without a reply: 0",
    ),
    ("loss --loss 100 --count 10", "udp random: reply in 4 tries: 0", MORE_ANSWERS),
    ("loss --loss 0 --count 10", "udp random: reply in 1 try: 1", MORE_ANSWERS),
    (
        "loss --loss 0 --count 10",
        "tcp random: packets lost: 0",
        "tcp random: packets lost: more than 0",
    ),
    (
        "loss --duplicate 100 --count 10",
        "udp chosen: replies, 4 tries: more than 1",
        "udp chosen: replies, 4 tries: 1",
    ),
    (
        "loss --count 50",
        "tcp random: without a reply: 0",
        "tcp random: without a reply: more than 0",
    ),
    (
        "boundaries --count 1",
        "tcp writes made: 1",
        "tcp writes made: more than in tcp reads after all writes",
    ),
    ("truncate --buffer 25", FLAG_TRUNC, FLAG_NONE),
    ("truncate --buffer 26", FLAG_NONE, FLAG_TRUNC),
    ("truncate --buffer 0", "tcp recvmsg(), small buffer: \"0 octets\"", FLAG_NONE),
    ("flood --count 1", "udp dropped (SO_RXQ_OVFL): 0", "udp dropped (SO_RXQ_OVFL): more than 0"),
    (
        "share --count 0",
        "tcp REUSEADDR: 2nd listen(): \"EADDRINUSE\"",
        "udp servers met by 1 socket: 1",
    ),
    (
        "share --count 100",
        "udp servers met by 1 socket: 1",
        "tcp REUSEADDR: 2nd listen(): \"listening\"",
    ),
    (
        "stale --delay 3000",
        "udp 2nd query gets reply to: \"nothing\"",
        "udp 2nd query gets reply to: \"question 1\"",
    ),
    (
        "stale --delay 1000",
        "udp 2nd query gets reply to: \"question 1\"",
        "udp 2nd query gets reply to: \"nothing\"",
    ),
    (
        "hold --count 0",
        "tcp the next client receives: \"26 octets\"",
        "tcp the next client receives: \"EAGAIN\"",
    ),
    ("loop --delay 60000", "udp datagrams without guard: 1", UNGUARDED_LOOP),
    ("loop --delay 501", "udp datagrams without guard: 2", UNGUARDED_LOOP),
    ("loop", UNGUARDED_LOOP, "udp datagrams without guard: 2"),
    (
        "restart",
        "tcp TIME-WAIT, client first: \"client\"",
        "tcp TIME-WAIT, client first: \"server\"",
    ),
];

const FLAG_TRUNC: &str = "udp flag, small buffer: \"MSG_TRUNC\"";
const FLAG_NONE: &str = "udp flag, small buffer: \"none\"";
const UNGUARDED_LOOP: &str = "udp datagrams without guard: more than 2";

/// Returns the sentences of a lesson, each with its grounds: `tcp octets lost: 0`.
fn lesson(command: &str) -> Vec<(String, Vec<String>)> {
    let mut daytime = daytime();
    let run = good(daytime.args(["lab", "run", "--json"]).args(command.split(' ')));
    let all: Value = run.parse().expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let ground = |it: &Value| {
        format!("{} {}: {}", text(&it["transport"]), text(&it["what"]), text(&it["must"]))
    };
    let sentence = |it: &Value| {
        let grounds = it["rests_on"].as_array().expect("grounds").iter();
        (text(&it["says"]), grounds.map(ground).collect())
    };
    let lesson = all["runs"][0]["lesson"].as_array().expect("sentences");
    lesson.iter().map(sentence).collect()
}

#[test]
fn a_lesson_has_only_sentences_that_the_run_supports() {
    for (command, ground, other) in RESTS_ON {
        let lesson = lesson(command);
        let rests_on =
            |ground: &str| lesson.iter().any(|(_, all)| all.iter().any(|it| it == ground));
        assert!(rests_on(ground), "{command}: no sentence for {ground}: {lesson:#?}");
        assert!(!rests_on(other), "{command}: a sentence for {other}: {lesson:#?}");
    }
}

/// Returns a sentence with its grounds below it, and the phrases for which `lab_lessons` compares it with other rows. When
/// a better wording drops such a phrase, [`REFUTED_BY`] needs the new one.
#[cfg(target_os = "linux")]
fn shown((says, grounds): (String, Vec<String>)) -> String {
    let grounds = grounds.iter().map(|ground| format!("    rests on {ground}\n"));
    let claims = REFUTED_BY.iter().filter(|(phrase, _)| says.contains(phrase));
    let claims = claims.map(|(phrase, _)| format!("    claims \"{phrase}\"\n"));
    format!("- {says}\n{}", grounds.chain(claims).collect::<String>())
}

#[cfg(target_os = "linux")]
#[test]
fn each_sentence_of_a_lesson_has_its_grounds() {
    let mut commands: Vec<&str> = RESTS_ON.iter().map(|(command, ..)| *command).collect();
    commands.dedup();
    let lesson = |command: &&str| {
        let sentences: String = lesson(command).into_iter().map(shown).collect();
        format!("{command}\n{sentences}\n")
    };
    let lessons: String = commands.iter().map(lesson).collect();
    assert_screen("lab_lessons", &lessons, &[]);
}
