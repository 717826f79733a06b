//! Tests on real sockets and with the real binary, on port 0 or in network namespaces of their own.

#![allow(unreachable_pub, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "../replies/mod.rs"]
mod replies;
mod support;

#[cfg(feature = "teach")]
mod alphabet;
mod bench;
mod bench_faults;
mod check;
mod check_faults;
mod circles;
mod compare;
mod docs;
mod examples;
mod faults;
mod guard;
#[cfg(all(target_os = "linux", feature = "teach"))]
mod help;
mod interop;
mod json;
#[cfg(feature = "teach")]
mod lab;
#[cfg(feature = "teach")]
mod lab_ask;
#[cfg(feature = "teach")]
mod lab_docs;
#[cfg(feature = "teach")]
mod lab_grade_readers;
#[cfg(feature = "teach")]
mod lab_grounds;
#[cfg(feature = "teach")]
mod lab_json;
#[cfg(feature = "teach")]
mod lab_lessons;
#[cfg(feature = "teach")]
mod lab_loopback;
#[cfg(all(target_os = "linux", feature = "teach"))]
mod lab_netns;
#[cfg(all(target_os = "linux", feature = "teach"))]
mod lab_obstacles;
#[cfg(feature = "teach")]
mod lab_pictures;
#[cfg(feature = "teach")]
mod lab_quiz;
#[cfg(feature = "teach")]
mod lab_reports;
#[cfg(feature = "teach")]
mod lab_screens;
#[cfg(feature = "teach")]
mod lab_sheets;
#[cfg(feature = "teach")]
mod lab_sheets_marks;
#[cfg(feature = "teach")]
mod lab_sheets_mistakes;
#[cfg(feature = "teach")]
mod lab_sheets_packets;
#[cfg(target_os = "linux")]
mod languages;
mod layers;
#[cfg(target_os = "linux")]
mod leftovers;
mod limits;
mod log;
mod loops;
mod losses;
mod metrics;
mod metrics_clients;
#[cfg(all(target_os = "linux", feature = "teach"))]
mod pager;
mod parse;
mod pictures;
mod polite;
mod query;
mod query_errors;
mod query_incomplete;
mod query_meaning;
mod query_udp;
#[cfg(target_os = "linux")]
mod sandbox;
mod saved_replies;
mod serve;
mod serve_activated;
#[cfg(target_os = "linux")]
mod serve_calls;
mod serve_confined;
mod serve_errors;
mod serve_inetd;
mod serve_load;
mod serve_options;
mod serve_reload;
mod serve_replies;
mod serve_stop;
mod serve_supervised;
#[cfg(target_os = "linux")]
mod systemd;
#[cfg(target_os = "linux")]
mod taken_over;
#[cfg(feature = "teach")]
mod teaching;
mod units;
#[cfg(target_os = "linux")]
mod wire;
#[cfg(target_os = "linux")]
mod wire_faults;
#[cfg(target_os = "linux")]
mod wire_files;
#[cfg(target_os = "linux")]
mod wire_packets;
#[cfg(target_os = "linux")]
mod workers;
