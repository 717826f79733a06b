//! The saved replies, for whatever is held to them.

#![allow(dead_code, unreachable_pub, clippy::expect_used)] // each user takes what it needs

/// A saved reply.
pub struct Saved {
    pub id: String,
    /// The octets of the server.
    pub reply: Vec<u8>,
    /// What is to be read from them: `README.md` in this folder.
    pub expect: serde_json::Value,
}

/// All of them.
pub fn saved() -> Vec<Saved> {
    let saved: Vec<Saved> = include_str!("replies.jsonl").lines().map(of).collect();
    assert_eq!(saved.len(), 58);
    saved
}

fn of(line: &str) -> Saved {
    let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let reply = object["reply"].as_str().expect("a reply");
    // Each octet is one code point.
    let reply = reply.chars().map(|letter| u8::try_from(letter).expect("an octet")).collect();
    let id = object["id"].as_str().expect("an id").to_owned();
    Saved { id, reply, expect: object["expect"].clone() }
}
