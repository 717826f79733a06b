//! Tests the replies of real servers in `tests/replies`: each is read as its `expect` says.

use crate::replies::{Saved, saved};
use daytime::read::{ReplyTime, recognise};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Returns the result of reading a reply, in the format of `expect`.
fn read(reply: &[u8]) -> (Value, BTreeSet<String>) {
    let written = |time: chrono::NaiveDateTime| time.format("%Y-%m-%dT%H:%M:%S").to_string();
    let (read, flags) = match recognise(reply) {
        Ok(it) => {
            let utc = it.utc().map(|utc| format!("{}Z", written(utc.naive_utc())));
            let naive = it.naive().map(written);
            let zone = it.zone.is_some();
            let mut read =
                json!({"parsable": true, "utc": utc, "naive": naive, "zone_given": zone});
            if let ReplyTime::Ambiguous { candidates } = it.time {
                read["ambiguous"] = candidates.iter().map(written).collect();
            }
            (read, it.flags)
        }
        Err(error) => {
            let read = json!({"parsable": false, "utc": null, "naive": null, "zone_given": false});
            (read, error.flags)
        }
    };
    (read, flags.iter().map(|flag| flag.to_string()).collect())
}

#[test]
fn every_saved_reply_is_read_as_its_entry_expects() {
    for Saved { id, reply, mut expect } in saved() {
        let object = expect.as_object_mut().expect("an object");
        // The instant that a client with a table of all zone names could find.
        object.remove("utc_lenient");
        let flags = object.remove("flags").unwrap_or_else(|| json!([]));
        let flags: BTreeSet<String> = serde_json::from_value(flags).expect("names");
        assert_eq!(read(&reply), (expect, flags), "{id}: {:?}", reply.escape_ascii().to_string());
    }
}
