//! What is read from a reply borrows from it. In a binary of its own, whose allocator counts.

mod replies;

use allocation_counter::measure;
use daytime::recognise;
use replies::saved;

#[test]
fn reading_a_time_allocates_nothing() {
    let mut times = 0;
    for saved in saved() {
        let mut is_time = false;
        let allocations = measure(|| is_time = recognise(&saved.reply).is_ok());
        if is_time {
            times += 1;
            assert_eq!(allocations.count_total, 0, "{}: {allocations:?}", saved.id);
        }
    }
    assert!(times >= 40, "only {times} of the saved replies are times");
}

#[test]
fn an_allocation_is_counted() {
    let allocations = measure(|| drop(std::hint::black_box(vec![0_u8; 24])));
    assert_eq!((allocations.count_total, allocations.bytes_total), (1, 24));
}
