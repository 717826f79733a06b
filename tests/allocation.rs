//! What is read from a reply borrows from it. In a binary of its own, whose allocator counts.

mod replies;

use allocation_counter::measure;
use daytime::recognise;
use replies::saved;

#[test]
fn reading_a_time_allocates_nothing() {
    let saved = saved().into_iter().map(|saved| saved.reply);
    let mut times = 0;
    for reply in saved.chain(OTHERS.iter().map(|reply| reply.as_bytes().to_vec())) {
        let mut is_time = false;
        let allocations = measure(|| is_time = recognise(&reply).is_ok());
        if is_time {
            times += 1;
            assert_eq!(allocations.count_total, 0, "{}: {allocations:?}", reply.escape_ascii());
        }
    }
    assert_eq!(times, 47 + OTHERS.len(), "5 of the 52 saved replies are no times");
}

/// Forms that no saved reply has.
const OTHERS: [&str; 8] = [
    "51270 092 145230 UTC\r\n",
    "Sunday, 06-Nov-94 08:49:37 GMT\r\n",
    "6-NOV-1994 08:49:37.00\r\n",
    "15:17:42 21 November 2018\r\n",
    "mercredi 3 juillet 2024 \u{e0} 16:05:11\r\n",
    "Wed Jul  3 16:05:11 UTC 2024 up 3 days; load 0.1\r\n",
    "2024-07-03T16:05:11.123456+02:00[Europe/Rome]\r\n",
    "\u{5348}\u{5f8c} 2:34:56 2010-03-27\r\n",
];

#[test]
fn an_allocation_is_counted() {
    let allocations = measure(|| drop(std::hint::black_box(vec![0_u8; 24])));
    assert_eq!((allocations.count_total, allocations.bytes_total), (1, 24));
}
