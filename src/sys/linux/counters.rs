//! Network counters and tables under `/proc` that any user may read (proc(5)).

use super::super::{TimeWait, Traffic};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Returns the kernel's maximum for the backlog of `listen(2)`.
pub(crate) fn backlog_limit() -> Option<u32> {
    fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?.trim().parse().ok()
}

/// Returns how often a listener's full accept queue made the kernel drop a SYN or the last ACK of a
/// handshake. The count covers all listeners since this network namespace was created.
#[cfg(feature = "lab")]
pub(crate) fn listen_overflows() -> Option<u64> {
    paired(&fs::read_to_string("/proc/net/netstat").ok()?, "TcpExt:", "ListenOverflows")
}

/// Returns the total number of IP packets and octets that this system has sent over IPv4 or IPv6,
/// whichever `address` belongs to.
pub(crate) fn traffic(address: IpAddr) -> Option<Traffic> {
    match address {
        IpAddr::V4(_) => traffic_v4(),
        IpAddr::V6(_) => {
            let snmp6 = fs::read_to_string("/proc/net/snmp6").ok()?;
            Some(Traffic {
                packets: table_value(&snmp6, "Ip6OutRequests")?,
                octets: table_value(&snmp6, "Ip6OutOctets")?,
            })
        }
    }
}

/// Reads the IPv4 counters. Packets and octets are in two files, so this function reads both again
/// until no packet was sent between the two reads.
fn traffic_v4() -> Option<Traffic> {
    let packets = || paired(&fs::read_to_string("/proc/net/snmp").ok()?, "Ip:", "OutRequests");
    let mut before = packets()?;
    for _ in 0..MAX_READINGS {
        let netstat = fs::read_to_string("/proc/net/netstat").ok()?;
        let octets = paired(&netstat, "IpExt:", "OutOctets")?;
        let after = packets()?;
        if before == after {
            return Some(Traffic { packets: after, octets });
        }
        before = after;
    }
    None
}

/// Maximum number of times that the files are read if other traffic keeps changing them.
const MAX_READINGS: usize = 16;

/// Returns all connections in TIME-WAIT in this network namespace.
pub(crate) fn time_waits() -> Option<Vec<TimeWait>> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts: Vec<String> =
        tables.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    if texts.is_empty() {
        return None;
    }
    Some(texts.iter().flat_map(|text| text.lines().skip(1).filter_map(time_wait)).collect())
}

/// Returns a value from a table of line pairs such as `/proc/net/snmp`. The first line of a pair
/// holds the names, the second the numbers.
fn paired(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.split(' ').next() == Some(group));
    let place = lines.next()?.split(' ').position(|word| word == name)?;
    lines.next()?.split(' ').nth(place)?.parse().ok()
}

/// Returns a value from a table such as `/proc/net/snmp6`, where each line has a name and a number.
fn table_value(text: &str, name: &str) -> Option<u64> {
    let mut rows = text.lines().map(str::split_whitespace);
    let mut row = rows.find(|row| row.clone().next() == Some(name))?;
    row.nth(1)?.parse().ok()
}

/// Code of the state TIME-WAIT in `/proc/net/tcp`.
const TIME_WAIT: &str = "06";

fn time_wait(row: &str) -> Option<TimeWait> {
    let mut columns = row.split_whitespace().skip(1);
    let (local, remote) = (columns.next()?, columns.next()?);
    if columns.next()? != TIME_WAIT {
        return None;
    }
    let (_, ticks) = columns.nth(1)?.split_once(':')?;
    let left = KERNEL_TICK * u32::from_str_radix(ticks, 16).ok()?;
    Some(TimeWait { local: socket_address(local)?, remote: socket_address(remote)?, left })
}

/// Unit of the times that the kernel reports to programs (times(2), `USER_HZ`).
const KERNEL_TICK: Duration = Duration::from_millis(10);

/// Parses `0100007F:000D` as 127.0.0.1:13. The address consists of 32-bit words in the host's byte
/// order. An IPv4-mapped IPv6 address is returned as IPv4.
fn socket_address(hex: &str) -> Option<SocketAddr> {
    let (address, port) = hex.split_once(':')?;
    let words: Vec<u32> = (0..address.len() / 8)
        .map(|i| u32::from_str_radix(address.get(i * 8..i * 8 + 8)?, 16).ok())
        .collect::<Option<_>>()?;
    let octets: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let ip: IpAddr = match octets.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_lines_gives_the_number_under_the_name() {
        let text = "Ip: Forwarding OutRequests\nIp: 2 41\nIpExt: A OutOctets\nIpExt: 7 99\n";
        assert_eq!(paired(text, "Ip:", "OutRequests"), Some(41));
        assert_eq!(paired(text, "IpExt:", "OutOctets"), Some(99));
        assert_eq!(paired(text, "Ip:", "OutOctets"), None);
    }

    #[test]
    fn a_listed_value_is_found_by_its_whole_name() {
        let text = "Ip6OutRequestsX                 \t1\nIp6OutRequests                  \t26\n";
        assert_eq!(table_value(text, "Ip6OutRequests"), Some(26));
        assert_eq!(table_value(text, "Ip6Out"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn only_rows_in_time_wait_are_taken() {
        let waiting = "   3: 0100007F:000D 0200007F:D431 06 00000000:00000000 03:0000176F 0 0 0 3";
        let expected = TimeWait {
            local: "127.0.0.1:13".parse().expect("address"),
            remote: "127.0.0.2:54321".parse().expect("address"),
            left: Duration::from_millis(59_990),
        };
        assert_eq!(time_wait(waiting), Some(expected));
        assert_eq!(time_wait(&waiting.replace(" 06 ", " 01 ")), None);
        let mapped = "0000000000000000FFFF00000100007F:000D";
        assert_eq!(socket_address(mapped), Some("127.0.0.1:13".parse().expect("address")));
    }

    #[test]
    fn the_kernel_has_the_files() {
        assert!(backlog_limit().expect("somaxconn") > 0);
        // Other programs send packets too, so a single attempt may find no moment without other
        // traffic.
        assert!((0..1000).any(|_| traffic(Ipv4Addr::LOCALHOST.into()).is_some()));
        assert!(time_waits().is_some());
    }
}
