//! An answer in words: the server's line, and under it how it came.

use super::{human, plural};
use crate::client::Answer;
use crate::transport::Transport;

/// The line under the server's own: who answered, how fast, in how many reads.
pub(crate) fn detail(answer: &Answer) -> String {
    let Answer { peer, transport, elapsed, .. } = answer;
    let octets = plural(answer.octets.len() as u64, "octet");
    let how = match transport {
        Transport::Tcp => {
            let reads = plural(answer.reads.len() as u64, "read");
            format!("{octets} in {reads}, then end of stream")
        }
        Transport::Udp if answer.questions > 1 => {
            format!("{octets} in 1 datagram, after {} questions", answer.questions)
        }
        Transport::Udp => format!("{octets} in 1 datagram"),
    };
    format!("    {transport} {peer}, {}: {how}", human(*elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Calls;
    use std::time::Duration;

    fn answer(transport: Transport, questions: u32) -> Answer {
        Answer {
            transport,
            peer: "127.0.0.1:13".parse().expect("address"),
            octets: vec![b'x'; 26],
            truncated: false,
            connected_after: None,
            elapsed: Duration::from_micros(120),
            reads: vec![20, 6],
            questions,
            calls: Calls::default(),
        }
    }

    #[test]
    fn it_tells_how_the_answer_came() {
        assert_eq!(
            detail(&answer(Transport::Tcp, 0)),
            "    tcp 127.0.0.1:13, 120 µs: 26 octets in 2 reads, then end of stream"
        );
        assert_eq!(
            detail(&answer(Transport::Udp, 1)),
            "    udp 127.0.0.1:13, 120 µs: 26 octets in 1 datagram"
        );
        assert_eq!(
            detail(&answer(Transport::Udp, 2)),
            "    udp 127.0.0.1:13, 120 µs: 26 octets in 1 datagram, after 2 questions"
        );
    }
}
