//! Measures how long it takes to read a reply, for each form of reply: see `docs/PERFORMANCE.md`.

#![allow(missing_docs, clippy::expect_used)] // criterion's macros generate functions without documentation

#[path = "../tests/replies/mod.rs"]
mod replies;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use daytime::{Reading, Syntax, Zone, recognise};
use std::collections::BTreeMap;
use std::hint::black_box;

fn recognising(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recognise");
    for (family, replies) in families() {
        let octets: usize = replies.iter().map(Vec::len).sum();
        group.throughput(Throughput::Bytes(octets as u64));
        let name = format!("{family}, {} of {octets} octets", replies.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                replies.iter().filter(|reply| recognise(black_box(reply)).is_ok()).count()
            });
        });
    }
    group.finish();
}

/// Replies in forms that appear rarely or never among the saved replies (`tests/replies`).
const OTHERS: [&str; 16] = [
    "47222 88-03-02 21:39:15 83 0 +.3 045.0 UTC(NBS) *",
    "60482 24-06-21 12:00:07 50 0 -.1 045.0 UTC(NIST) #",
    "1995-01-23 20:58:51 MEZ  10402303260219950123195849740+40000500              *",
    "15:17:42 21 November 2018\r\n",
    "Mittwoch, 3. Juli 2024 um 16:05:11\r\n",
    "miercoles 3 de julio de 2024, 16:05:11\r\n",
    "2024-07-03 16:05:11.123456 +0200\r\n",
    "20240703T140511Z\r\n",
    "Wed, 3 Jul 2024 14:05:11 +0000\r\n",
    "Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "Sunday, 06-Nov-94 08:49:37 GMT\r\n",
    "22-NOV-2026 14:48:58.12\r\n",
    "Tue, Mar 14, 2006, 09:41:07-UTC",
    "Wed, Jul 03, 2024, 14:05:11-UTC",
    "51270 092 145230 UTC\r\n",
    "60482 173 120007 UTC\r\n",
];

/// Groups replies by form: the saved replies, one reply in each syntax, and [`OTHERS`]. Adds groups of input that
/// contains no time.
fn families() -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut families: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let saved = replies::saved().into_iter().map(|saved| saved.reply);
    let others = OTHERS.iter().map(|reply| reply.as_bytes().to_vec());
    for reply in saved.chain(printed()).chain(others) {
        let family = match recognise(&reply) {
            Ok(read) => read.form.to_string(),
            Err(_) if reply.len() > 1000 => continue, // a reply this long would outweigh all other replies
            Err(_) => "no time".to_owned(),
        };
        families.entry(family).or_default().push(reply);
    }
    families.insert("64 KiB of letters".to_owned(), vec![vec![b'A'; 65_536]]);
    families.insert(
        "64 KiB of no text".to_owned(),
        vec![(0x80..=u8::MAX).cycle().take(65_536).collect()],
    );
    families
}

fn printed() -> impl Iterator<Item = Vec<u8>> {
    let reading = Reading::at("1982-02-22T17:37:43Z".parse().expect("an instant"));
    let print = move |syntax: Syntax| syntax.print(&reading, Zone::UTC).expect("printable");
    Syntax::NAMED.iter().cloned().map(move |syntax| print(syntax).octets().to_vec())
}

criterion_group!(benches, recognising);
criterion_main!(benches);
