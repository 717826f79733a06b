//! Decides whether the content of a datagram is a Daytime reply.
//!
//! According to RFC 867, a server ignores a datagram's content, but this server makes an exception
//! for replies. If a service answered replies, an attacker could start an endless exchange with
//! another service or an echo service (CVE-2024-2169, "Loop DoS").

use crate::syntax::recognise;

/// Whether the content has a time of day with seconds: `16:05:11`, `6:05:11`. Replies in languages
/// that `recognise` cannot read have such a time too, but no query does.
fn holds_time_of_day(content: &[u8]) -> bool {
    content.windows(7).any(|part| {
        let [hour, b':', tens, ones, b':', more, last] = part else { return false };
        [hour, tens, ones, more, last].iter().all(|octet| octet.is_ascii_digit())
    })
}

/// Minimum number of digits in a reply that [`recognise`] can read: three for the time and three
/// for the date.
const MIN_REPLY_DIGITS: usize = 6;

/// Whether this content is a Daytime reply from this suite or from another server. `service_reply`
/// is the reply that this service would send. A printable line that contains a digit and ends with
/// CR LF may be a reply from this suite. A reply from another server either has a time of day, or
/// [`recognise`] can read it.
///
/// If the replies of this service have no digit (`--strftime %A`), any line counts as a reply. So
/// between any two services of this suite, at least one ignores the replies of the other.
pub(super) fn is_reply(content: &[u8], service_reply: &[u8]) -> bool {
    let digits = digits(content);
    let line = is_line(content) && (digits > 0 || self::digits(service_reply) == 0);
    line || holds_time_of_day(content) || (digits >= MIN_REPLY_DIGITS && recognise(content).is_ok())
}

/// Whether this is one line of printable ASCII that ends with CR LF. This is true for every reply
/// of this suite, except in the NIST syntax.
fn is_line(content: &[u8]) -> bool {
    let line = content.strip_suffix(b"\r\n").unwrap_or(&[]);
    !line.is_empty() && line.iter().all(|octet| matches!(octet, b' '..=b'~'))
}

fn digits(octets: &[u8]) -> usize {
    octets.iter().filter(|octet| octet.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use crate::syntax::{Pattern, Syntax, Zone};
    use chrono::DateTime;
    use proptest::prelude::*;

    const SERVICE_REPLY: &[u8] = b"Tuesday, February 2, 1982 15:59:01-UTC\r\n";

    #[test]
    fn a_question_is_not_a_reply() {
        for question in [
            &b""[..],
            b"\r\n",
            b"\n",
            b"?",
            b"time\r\n",
            b"What time is it?\r\n",
            b"daytime 1\n",
            b"127.0.0.1:9999\n",
            b"12:30\n",
            b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
            &[0; 512],
            &[b'7'; 512],
        ] {
            assert!(!is_reply(question, SERVICE_REPLY), "{}", question.escape_ascii());
        }
    }

    #[test]
    fn the_replies_of_other_servers_are_replies() {
        for reply in [
            &b"Mon Jul 28 11:56:22 2003\n"[..],
            b"Sun Feb 29 00:00:00 2004\n\r",
            b"\n60966 25-10-18 07:09:27 16 0 0 621.4 UTC(NIST) * \n",
            b"Tue, Mar 14, 2006, 09:41:07-UTC",
            b"16:05:11 5.3.2009\n",
            b"1.1.04 1:01:01",
            b"Wednesday, July 3, 2024 16:05:11\n\0",
            b"ke 3.7.2024 16.05.11\n",
            "2024年07月03日 16:05:11\n".as_bytes(),
            b"The time is 6:05:11 on 2024-07-03\n",
            b"16:05:11\n",
            b"welcome to example\r\n16:05:11\r\n",
        ] {
            assert!(is_reply(reply, SERVICE_REPLY), "{}", reply.escape_ascii());
            assert!(is_reply(reply, b"Sunday\r\n"), "{}", reply.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn of_two_services_of_this_suite_one_ignores_the_replies_of_the_other(
            one in 0..Syntax::NAMED.len() + 1,
            other in 0..Syntax::NAMED.len() + 1,
            patterns in prop::array::uniform2("(%[-_0]?[a-zA-Z%+]|[ -~]){1,8}"),
            second in 0i64..4_102_444_800,
            zones in prop::array::uniform2(prop::sample::select(vec!["utc", "America/St_Johns",
                "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Monrovia", "-11:30", "+00:00"])),
        ) {
            let reading = Reading::at(DateTime::from_timestamp(second, 0).expect("in range"));
            let reply = |syntax: usize, which: usize| {
                let pattern = || patterns[which].parse::<Pattern>().map(Syntax::Strftime).ok();
                let syntax = Syntax::NAMED.get(syntax).cloned().or_else(pattern)?;
                let zone: Zone = zones[which].parse().expect("a zone");
                Some(syntax.print(&reading, zone).expect("printable"))
            };
            let (Some(one), Some(other)) = (reply(one, 0), reply(other, 1)) else { return Ok(()) };
            let (one, other) = (one.octets(), other.octets());
            prop_assert!(is_reply(one, one), "{}", one.escape_ascii());
            prop_assert!(
                is_reply(one, other) || is_reply(other, one),
                "{} and {}", one.escape_ascii(), other.escape_ascii()
            );
        }

        #[test]
        fn each_readable_reply_has_at_least_6_digits(line in "([0-9]{1,4}|[a-zA-Z]{3,9}|[-:/., ]){6,14}") {
            if recognise(line.as_bytes()).is_ok() {
                prop_assert!(digits(line.as_bytes()) >= MIN_REPLY_DIGITS, "{line}");
            }
        }
    }
}
