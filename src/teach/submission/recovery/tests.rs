//! Recovers the answers of texts with mistakes.

use super::*;
use std::collections::BTreeSet;

/// Identifiers of the items.
const IDS: [&str; 6] = ["loop-b", "loss-a", "loss-b", "loss-c", "loss-explanation", "loss-order"];

fn recovered(text: &str) -> Answers {
    answers(&Lines::new(text, &BTreeSet::from(IDS)), 11)
}

/// Returns the texts of the answers without a mistake, and the others' lines with the first part of the reason.
fn of(text: &str) -> (Vec<String>, Vec<(usize, String)>) {
    let (good, bad): (Vec<Answer>, _) =
        recovered(text).answers.into_iter().partition(|it| it.mistake.is_none());
    let bad = bad.into_iter().filter_map(|it| it.mistake);
    let reason = |it: Mistake| (it.line, it.reason.split(';').next().unwrap_or("").to_owned());
    (good.into_iter().map(|it| it.text).collect(), bad.map(reason).collect())
}

#[test]
fn a_bad_line_costs_one_answer_and_says_why() {
    for (line, reason) in [
        ("loss-b = '80", "the closing ' is missing"),
        ("loss-b = \"80", "the closing \" is missing"),
        ("loss-b = '80''", "a ' too many"),
        ("loss-b = 'client's'", "the answer contains '"),
        ("loss-b = '80' ms", "text after the closing '"),
        ("loss-b = '''80''' ms", "text after the closing '''"),
        ("loss-b = ", "the quotes are missing"),
        ("loss-b = 80 ms", "the quotes are missing"),
        ("loss-b = ‘80’", "the quotes are curly"),
        ("loss-b = '80\u{fffd}s'", "not UTF-8"),
        ("loss-b = ['A'", "unclosed array, expected `]`"),
        ("loss-b = 2026-11-29", "not a text in quotes"),
        ("loss-b = {}", "not a text in quotes"),
    ] {
        let text = format!("\n# 1.\nloss-a = '1'\n\n{line}\r\n# 3.\nloss-c = \"3\"\n");
        let (good, bad) = of(&text);
        assert_eq!((&*good.join(" "), &bad[..]), ("1 3", &[(15, reason.to_owned())][..]), "{line}");
    }
}

#[test]
fn a_long_text_ends_at_its_quotes_and_without_them_before_the_next_item_of_a_lab() {
    let (good, bad) = of("loss-a = '''\nTCP = retransmits\nx = 1\n'''\nloss-b = '\n");
    assert_eq!((&*good.join("|"), bad.len()), ("TCP = retransmits\nx = 1", 1));
    let unclosed = recovered("loss-a = '''\nTCP\nx = 1\n\n# 2.\nloop-b = '''\nUDP\n'''\n");
    let [a, b] = &unclosed.answers[..] else { panic!("{unclosed:?}") };
    assert_eq!((&*b.text, b.line), ("UDP", 16));
    assert!(!a.text.contains("# 2."), "{a:?}");
    assert!(a.text.contains("TCP\nx = 1") && a.mistake.as_ref().is_some_and(|it| it.line == 11));
}

#[test]
fn a_text_below_an_empty_answer_belongs_to_it_and_below_another_to_none() {
    let found = recovered("loss-a = ''\n80 ms\nor 90 ms\n\nloss-b = 'B'\nI think\n\nso\n");
    let [a, b] = &found.answers[..] else { panic!("{found:?}") };
    assert_eq!((&*a.text, a.mistake.as_ref().map(|it| it.line)), ("80 ms\nor 90 ms", Some(12)));
    assert_eq!((&*b.text, &b.mistake), ("B", &None));
    let lines: Vec<usize> = found.mistakes.iter().map(|it| it.line).collect();
    assert_eq!(lines, [16], "{found:?}");
}

#[test]
fn two_lines_for_one_item_are_one_mistake() {
    let found = recovered("loss-a = '1'\nloss-b = ''\nloss-a = '2'\nloss-a = '3'\n");
    let [a, b] = &found.answers[..] else { panic!("{found:?}") };
    let mistake = a.mistake.as_ref().expect("a mistake");
    assert!(mistake.line == 14 && mistake.reason.contains("twice"), "{mistake:?}");
    assert!(b.mistake.is_none());
}

/// Returns the texts of the answers with these identifiers.
fn texts<const N: usize>(found: &Answers, ids: [&str; N]) -> [String; N] {
    ids.map(|id| {
        let it = found.answers.iter().find(|it| it.id == id);
        it.map_or_else(|| "missing".to_owned(), |it| it.text.clone())
    })
}

#[test]
fn a_text_in_its_quotes_may_have_lines_like_those_of_items() {
    for (text, quotes) in [
        ("loss = dropped packet, so retransmit", "'''"),
        ("loss-a = '40'\nloss-b: 40", "'''"),
        ("# 1. (2 points) A number in ms.\nloss-a = '40'", "'''"),
        ("loss-a = '40'", "\"\"\""),
        ("loss-explanation = this one\nloss-a is 40", "'''"),
    ] {
        for end in ["\n", ""] {
            let file = format!(
                "loss-a = '40'\nloss-explanation = {quotes}\nAs\n{text}{end}{quotes}\nloss-b = '1\n"
            );
            let found = recovered(&file);
            let [a, explanation, b] = texts(&found, ["loss-a", "loss-explanation", "loss-b"]);
            assert_eq!((&*a, explanation, &*b), ("40", format!("As\n{text}"), "1"), "{file}");
            let wrong = found.answers.iter().filter(|it| it.mistake.is_some());
            assert_eq!((wrong.count(), found.answers.len()), (1, 3), "{file}");
        }
    }
}

#[test]
fn a_quoted_item_whose_own_line_is_deleted_stays_a_part_of_the_text() {
    for quotes in ["'''", "\"\"\""] {
        for quoted in ["loss-a = '40'", "loss-a: 40", "loss-a"] {
            let file = format!(
                "loss-explanation = {quotes}\nAs\n{quoted}\nsays\n{quotes}\nloss-b = '1\nloss-c = '2'\n"
            );
            let found = recovered(&file);
            let [a, explanation, c] = texts(&found, ["loss-a", "loss-explanation", "loss-c"]);
            assert_eq!((&*a, &*c), ("missing", "2"), "{file}");
            assert_eq!(explanation, format!("As\n{quoted}\nsays"), "{file}");
            assert!(found.answers[0].mistake.is_none(), "{found:?}");
        }
    }
}

#[test]
fn a_text_without_its_quotes_takes_no_other_item_even_if_the_item_is_there_twice() {
    let block = "# 1. (3 points) Text.\nloss-explanation = '''\nTCP\n\n# 2. (2 points) A number.\n\
                 loss-a = '1'\n# 3. (3 points) Text.\nloop-b = '''\nUDP\n'''\n";
    for copies in [1, 2] {
        let found = recovered(&block.repeat(copies));
        let mistakes = found.answers.iter().filter(|it| it.mistake.is_some()).count();
        assert_eq!((found.answers.len(), mistakes), (3, if copies == 1 { 1 } else { 3 }));
        assert!(!found.answers[0].text.contains("# 2."), "{found:?}");
    }
}

#[test]
fn a_text_without_its_quotes_takes_no_other_items_even_if_a_later_answer_has_such_quotes() {
    for (last, text) in [
        ("=\n'''\nmore\n'''", "'''\nmore\n'''"),
        ("= 'I wrote ''' as quotes'", "I wrote ''' as quotes'"),
    ] {
        let file = format!(
            "\nloss-order = '''\nBecause TCP.\n\n\nloss-a = '1'\n\nloss-b = ''\n\nloss-explanation {last}\n"
        );
        let found = recovered(&file);
        let all = texts(&found, ["loss-order", "loss-a", "loss-b", "loss-explanation"]);
        assert_eq!(all, ["Because TCP.", "1", "", text], "{file}");
        let wrong = found.answers.iter().filter(|it| it.mistake.is_some()).map(|it| &*it.id);
        assert_eq!(wrong.collect::<Vec<_>>(), ["loss-order", "loss-explanation"]);
    }
}

#[test]
fn a_line_without_its_equals_sign_is_the_answer_to_its_own_item() {
    for line in [
        "loss-b: '80'",
        "loss-b '80'",
        "\"loss-b\": '80'",
        "  'loss-b' : \"80\"\r",
        "loss-b := 80",
        "loss-b: '''\n80\n'''",
        "loss-b: '80",
    ] {
        let found = recovered(&format!("loss-explanation = '''\n\n'''\n{line}\nloss-c = '1'\n"));
        let all = texts(&found, ["loss-explanation", "loss-b", "loss-c"]);
        assert_eq!(all, ["", "80", "1"], "{line}");
        let reasons: Vec<String> =
            found.answers.into_iter().filter_map(|it| it.mistake).map(|it| it.reason).collect();
        assert!(
            matches!(&reasons[..], [it] if it.starts_with("the = is missing; write loss-b = '")),
            "{reasons:?}"
        );
    }
    let prose = recovered("loss-a = '1'\nloss-explanation = “In TCP,\nloss-a is 40\nloss-x: 4”\n");
    let [a, explanation] = texts(&prose, ["loss-a", "loss-explanation"]);
    assert_eq!((&*a, explanation.lines().count()), ("1", 3), "{prose:?}");
}

#[test]
fn a_key_in_quotes_is_the_item_and_a_second_line_beside_the_bare_key() {
    let found = recovered("\"loss-a\" = '1'\nloss-b = '\n");
    assert_eq!((texts(&found, ["loss-a"]), &found.answers[0].mistake), (["1".to_owned()], &None));
    let found = recovered("loss-a = ‘1’\n\"SYN\" = a flag\n");
    assert_eq!(found.answers.len(), 1, "prose is no key: {found:?}");
    let found = recovered("loss-a = '1'\n'loss-a' = '2'\n");
    let [a] = &found.answers[..] else { panic!("{found:?}") };
    assert!(a.mistake.as_ref().is_some_and(|it| it.reason.contains("twice")), "{a:?}");
}

#[test]
fn an_answer_with_only_quotes_is_empty() {
    for value in ["'''", "'''\n\n", "\"\"\"\n", "''' \n ''", "'", "\""] {
        let found = recovered(&format!("loss-explanation = {value}\nloss-a = '1'\n"));
        let all = texts(&found, ["loss-explanation", "loss-a"]);
        assert_eq!(all, ["", "1"], "{value:?}");
        assert!(found.answers[0].mistake.is_some(), "{value:?}");
    }
}

#[test]
fn lists_on_several_lines_and_texts_with_escaped_quotes_are_read_beside_a_mistake() {
    let file = "loss-order = [\n  'E', # ]\n  \"]\",\n 'A'\n]\nloss-a = '\n\
                loss-explanation = \"\"\"\nsays \\\"\"\" and \\\\\n\"\"\"\nloss-b = ['A'\nloss-c = '1'\n";
    let found = recovered(file);
    let all = texts(&found, ["loss-order", "loss-a", "loss-explanation", "loss-b", "loss-c"]);
    assert_eq!(all, ["E ] A", "", "says \"\"\" and \\", "['A'", "1"], "{found:?}");
    let wrong = found.answers.iter().filter(|it| it.mistake.is_some()).map(|it| &*it.id);
    assert_eq!(wrong.collect::<Vec<_>>(), ["loss-a", "loss-b"]);
}

#[test]
fn a_hostile_text_has_few_mistakes_and_each_line_is_looked_at_a_few_times_only() {
    let many = |line: &str| line.repeat(crate::teach::submission::MAX_OCTETS / line.len());
    let ids = BTreeSet::from(IDS);
    for line in [
        "x\n",
        "a='''\n",
        "'''\n",
        "loss-a='''\n",
        "loss-a=\"\"\"\n# 1. (\nloss-b=\n",
        "a=[",
        "a=[\n",
        "a=[\n[\n",
        "[a]\n",
        "=\n",
        "a=\"\"\"\\",
        "a=\"\"\"\\\"\"\"\n",
        "loss-a: [\n'\n",
        "loss-a\n",
    ] {
        let text = many(line);
        let lines = Lines::new(&text, &ids);
        let found = answers(&lines, 11);
        assert!(found.answers.len() <= 2 && found.mistakes.len() <= 1, "{line}");
        let count = text.lines().count();
        assert!(lines.looked_at.get() <= 4 * count + 4, "{line}: {}", lines.looked_at.get());
    }
    let text = "a='''\n".to_owned() + &many("a=\n");
    assert_eq!(recovered(&text).answers.len(), 1);
}
