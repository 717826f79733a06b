//! Reading a reply and the exchanges of a load allocate no memory. This test is a separate binary, whose allocator
//! counts.

mod replies;

use allocation_counter::measure;
use daytime::{BenchOptions, Config, Server, Transport, bench, recognise};
use replies::saved;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::time::Duration;

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
    assert_eq!(times, 53 + OTHERS.len(), "5 of the 58 saved replies have no time");
}

/// Replies in forms that no saved reply has.
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
fn an_exchange_under_load_allocates_nothing() {
    let config = Config::default().address("127.0.0.1:0".parse().expect("address"));
    let server = Server::bind(config).expect("loopback").spawn().expect("a thread");
    let target = server.bound()[0].address.into();
    for (transport, rate) in [
        (Transport::Tcp, None),
        (Transport::Udp, None),
        (Transport::Tcp, NonZeroU32::new(2000)),
        (Transport::Udp, NonZeroU32::new(2000)),
    ] {
        let load = |milliseconds| {
            let options = BenchOptions::default()
                .transports(vec![transport])
                .duration(Duration::from_millis(milliseconds))
                .warm_up(Duration::ZERO)
                .concurrency(NonZeroU32::new(4).expect("not 0"))
                .rate(rate);
            let mut exchanges = 0;
            let allocations = measure(|| {
                let on = &mut |_, _| ControlFlow::Continue(());
                let bench = bench(&target, &options, on).expect("loopback");
                exchanges = bench.loads[0].answered;
                assert_eq!(bench.loads[0].failures.count(), 0);
            });
            (exchanges, allocations.count_total)
        };
        let ((few, for_few), (many, for_many)) = (load(20), load(300));
        assert!(many > few + 100, "{many} exchanges, {few} before");
        assert_eq!(for_few, for_many, "{few} and {many} exchanges over {transport}, {rate:?}");
    }
    server.stop().expect("no error");
}

#[test]
fn an_allocation_is_counted() {
    let allocations = measure(|| drop(std::hint::black_box(vec![0_u8; 24])));
    assert_eq!((allocations.count_total, allocations.bytes_total), (1, 24));
}
