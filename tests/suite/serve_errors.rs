//! Tests the error messages of `daytime serve`: each is printed once, on standard error.

use crate::metrics::GET;
use crate::or_skip;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually};
use crate::support::{Namespace, Running, bad, daytime, good, ipv6, program, run, skip, stderr};
use nix::unistd::geteuid;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Runs `daytime serve` with invalid arguments. Returns standard error, and asserts that standard
/// output is empty.
fn refused(status: i32, arguments: &[&str]) -> String {
    bad(status, daytime().arg("serve").args(arguments))
}

#[test]
fn a_taken_port_is_reported_on_both_transports() {
    for transport in ["tcp", "udp"] {
        let first = Running::serve(&["--listen", "127.0.0.1", "--proto", transport]);
        let address = first.bound[0].1.to_string();
        assert_eq!(
            refused(1, &["--listen", &address, "--proto", transport]),
            format!(
                "daytime: cannot listen on {transport} {address}: Address already in use (os error \
                 98): does another server use the port? See `ss -lntup`, or try another --port\n"
            )
        );
    }
}

#[test]
fn a_port_taken_on_one_transport_only_is_not_served_on_the_other() {
    let first = Running::serve(&["--listen", "127.0.0.1", "--proto", "udp"]);
    let address = first.udp().to_string();
    let message = refused(1, &["--listen", &address]);
    assert!(
        message.starts_with(&format!("daytime: cannot listen on udp {address}: ")),
        "{message}"
    );
}

#[test]
fn both_wildcards_on_one_port_are_refused_with_the_reason() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "0.0.0.0", "--listen", "::"]);
    assert_eq!(
        bad(1, &mut serve),
        "daytime: cannot listen on tcp [::]:13: Address already in use (os error 98): does another \
         server use the port? Try another --port. [::] takes IPv4 too: leave out 0.0.0.0, or add \
         --only-v6\n"
    );
}

#[test]
fn a_port_that_needs_a_privilege_is_reported_with_a_hint() {
    let inside;
    let mut serve = if geteuid().is_root() {
        or_skip!(program("setpriv"));
        inside = or_skip!(Namespace::new());
        as_nobody(&inside)
    } else {
        let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
        if start.expect("Linux").trim() != "1024" {
            return skip("on this machine, every user may use port 13");
        }
        daytime()
    };
    assert_eq!(
        bad(1, serve.arg("serve")),
        "daytime: cannot listen on tcp 127.0.0.1:13: Permission denied (os error 13): ports below \
         1024 need a privilege: use --port 9999, or as root `setcap cap_net_bind_service=+ep` on \
         the daytime binary\n"
    );
}

/// Runs the binary as a user without privileges, where port 13 needs one.
fn as_nobody(inside: &Namespace) -> Command {
    let privileged = "net.ipv4.ip_unprivileged_port_start=1024";
    good(inside.command("sysctl").args(["-qw", privileged]));
    // Other users may not be allowed to read the build folder.
    fs::set_permissions(inside.folder(), Permissions::from_mode(0o755)).expect("set");
    let copy = inside.folder().join("daytime");
    // Copy in another process: a fork of this process could hold the copy open for writing
    // (ETXTBSY).
    good(Command::new("cp").arg(env!("CARGO_BIN_EXE_daytime")).arg(&copy));
    let mut command = inside.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
    command
}

#[test]
fn an_address_of_another_host_is_reported_with_a_hint() {
    or_skip!(ipv6());
    // An address of TEST-NET-1 (RFC 5737).
    assert_eq!(
        refused(1, &["--listen", "192.0.2.1:0"]),
        "daytime: cannot listen on tcp 192.0.2.1:0: Cannot assign requested address (os error 99): \
         no interface of this host has the address; see `ip -4 address`. For an address that is \
         added later, use FreeBind=yes in a systemd socket unit\n"
    );
    let message = refused(1, &["--listen", "[2001:db8::7]:0", "--proto", "udp"]);
    assert!(message.starts_with("daytime: cannot listen on udp [2001:db8::7]:0: "), "{message}");
    assert!(message.contains(" see `ip -6 address`. "), "{message}");
    assert!(!message.contains("brackets"), "{message}");
    // Without brackets, the port would be a part of the address.
    let message = refused(1, &["--listen", "2001:db8::7:9999", "--proto", "udp"]);
    assert!(
        message.ends_with(" write an IPv6 address with a port in brackets: [::1]:9999\n"),
        "{message}"
    );
}

#[test]
fn one_bad_address_stops_the_whole_server() {
    let message = refused(1, &["--port", "0", "--listen", "127.0.0.1", "--listen", "192.0.2.1"]);
    assert!(message.contains("cannot listen on tcp 192.0.2.1:"), "{message}");
}

#[test]
fn without_its_only_family_the_server_does_not_start() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    good(inside.command("ip").args(["-6", "addr", "del", "::1/128", "dev", "lo"]));
    let message = bad(1, inside.daytime().args(["serve", "--listen", "::1"]));
    assert_eq!(
        message,
        "daytime: cannot listen on tcp [::1]:13: Cannot assign requested address (os error 99): \
         this host does not have this address family; --listen on another address\n"
    );
}

/// Asserts a usage error of clap, which names the argument.
fn assert_usage(arguments: &[&str], complaint: &str) {
    let message = refused(2, arguments);
    assert_eq!(message.lines().next(), Some(complaint), "{message}");
    assert!(message.ends_with("\n\nFor more information, try '--help'.\n"), "{message}");
}

#[test]
fn a_bad_pattern_is_refused_with_the_offending_part_named() {
    for (pattern, complaint) in [
        ("%F%n%T", r#""%n" at octet 3 writes a control character"#),
        ("%F %Q", r#""%Q" at octet 4 is not a strftime specifier"#),
        ("le %d août", r#""û" at octet 9 is not ASCII"#),
        ("", "the pattern is empty, or writes nothing at some instants"),
    ] {
        let shown = format!("error: invalid value '{pattern}' for '--strftime <PATTERN>'");
        assert_usage(&["--strftime", pattern], &format!("{shown}: {complaint}"));
    }
}

#[test]
fn a_pattern_that_could_exceed_512_octets_is_refused_at_start() {
    let pattern = "x".repeat(511);
    let message = refused(2, &["--strftime", &pattern]);
    assert!(message.contains("takes the reply above 512 octets"), "{message}");
}

#[test]
fn a_bad_zone_is_refused_with_the_valid_ones() {
    assert_usage(
        &["--zone", "Mars/Olympus"],
        "error: invalid value 'Mars/Olympus' for '--zone <ZONE>': no such zone; use utc, local, an \
         IANA name such as Europe/Rome, or +HH:MM",
    );
}

#[test]
fn a_tz_without_an_iana_name_is_reported() {
    for value in ["CET-1CEST", "Europe/Berlinn"] {
        let mut serve = daytime();
        serve.env("TZ", value).args(["serve", "--zone", "local"]);
        let message = bad(2, &mut serve);
        for part in [&format!("TZ={value} is not "), "Europe/Rome", "correct TZ"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

#[test]
fn a_local_zone_file_without_a_name_is_refused_and_not_treated_as_utc() {
    let inside = or_skip!(Namespace::new());
    let rome = "/usr/share/zoneinfo/Europe/Rome";
    if !std::path::Path::new(rome).exists() {
        return skip(&format!("there is no {rome}"));
    }
    // A copy of the file, as in many containers, has the zone's rules but not its name.
    let etc = inside.folder().join("etc");
    fs::create_dir(&etc).expect("created");
    fs::copy(rome, etc.join("localtime")).expect("copied");
    let mount = run(inside.command("mount").arg("--bind").arg(&etc).arg("/etc"));
    assert!(mount.status.success(), "{}", stderr(&mount));
    let message = bad(2, inside.daytime().args(["serve", "--zone", "local"]));
    assert!(message.contains("the local zone \"/etc/localtime\" has no IANA name"), "{message}");
}

#[test]
fn a_bad_syntax_is_refused_with_the_valid_ones() {
    assert_usage(
        &["--syntax", "iso"],
        "error: invalid value 'iso' for '--syntax <NAME>': no such syntax; use ctime, nist, \
         rfc3339, rfc867 or smtp",
    );
}

#[test]
fn a_zone_for_nist_is_refused() {
    assert_eq!(
        refused(2, &["--syntax", "nist", "--zone", "Europe/Rome"]),
        "daytime: --syntax nist is always UTC: leave --zone out\n"
    );
}

#[test]
fn an_invalid_listen_address_is_refused_with_examples() {
    assert_usage(
        &["--listen", "localhost:9999"],
        "error: invalid value 'localhost:9999' for '--listen <ADDR[:PORT]>': not an IP address \
         with an optional port: try 127.0.0.1, 0.0.0.0:9999, ::1 or [::]:9999",
    );
}

#[test]
fn an_unknown_option_is_refused() {
    assert_usage(&["--bogus"], "error: unexpected argument '--bogus' found");
}

#[test]
fn a_buffer_or_deadline_out_of_range_is_refused() {
    for (option, value) in [
        ("--receive-buffer", "0"),
        ("--send-buffer", "-1"),
        ("--backlog", "65536"),
        ("--drain-deadline", "0"),
        ("--drain-octets", "many"),
        ("--port", "65536"),
    ] {
        let message = refused(2, &[option, value]);
        assert!(message.contains(option) || message.contains(value), "{option} {value}: {message}");
    }
}

/// Runs `daytime serve` on loopback with this limit of open files.
fn with_limit(limit: u32, options: &[&str]) -> Command {
    let mut limited = Command::new("sh");
    let serve = r#"ulimit -n "$1"; shift; exec "$0" serve --port 0 --listen 127.0.0.1 "$@""#;
    limited.args(["-c", serve, env!("CARGO_BIN_EXE_daytime"), &limit.to_string()]).args(options);
    limited.env_remove("RUST_LOG");
    limited
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn the_server_starts_only_with_a_descriptor_left_for_a_client() {
    for options in [
        &[][..],
        &["--metrics", "0"],
        &["--workers", "2"],
        &["--workers", "2", "--metrics", "0"],
        &["--proto", "udp"],
    ] {
        let mut said = String::new();
        // A server that starts prints its addresses.
        let starts = |limit: &u32| {
            let mut command = with_limit(*limit, options);
            command.arg("-q").stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut server = command.spawn().expect("started");
            let printed = server.stdout.as_mut().expect("piped").read(&mut [0; 1]);
            if printed.expect("readable") > 0 {
                server.kill().expect("it runs");
                server.wait().expect("waited for");
                return true;
            }
            let output = server.wait_with_output().expect("waited for");
            said = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{options:?}, {limit}: {said}");
            assert!(said.contains("open files"), "{options:?}, {limit}: {said}");
            assert!(
                said.ends_with("with `ulimit -n` or LimitNOFILE= in a systemd unit\n"),
                "{said}"
            );
            false
        };
        let bound = (4..100).find(starts).expect("100 are enough");
        if options != ["--proto", "udp"] {
            let expected = format!(
                "daytime: cannot serve: the limit of {} open files leaves too few for clients: raise \
                 the limit to at least {bound}, with `ulimit -n` or LimitNOFILE= in a systemd unit\n",
                bound - 1
            );
            assert_eq!(said, expected, "{options:?}");
        }
        let server = Running::start(with_limit(bound, options));
        for _ in 0..20 {
            for (transport, address) in &server.bound {
                match transport.as_str() {
                    "udp" => {
                        assert!(ask_udp(*address, b"").ends_with(b"\n"), "{options:?}, {bound}");
                    }
                    "tcp" => assert!(ask_tcp(*address).ends_with(b"\n"), "{options:?}, {bound}"),
                    // A connection of the service that is still open would be closed first.
                    _ => eventually("the metrics answer", || has_metrics(*address)),
                }
            }
        }
    }
}

fn has_metrics(address: SocketAddr) -> bool {
    let mut stream = connect(address);
    let mut page = String::new();
    let read = stream.write_all(GET.as_bytes()).and_then(|()| stream.read_to_string(&mut page));
    read.is_ok() && page.contains("daytime_arrivals_total")
}

#[test]
fn metrics_and_a_tcp_service_on_one_port_are_refused_with_both_options() {
    // Port 1 needs a privilege, so a server that does not see the conflict fails with another status and message.
    for (options, named) in [
        ("--port 1", "--port 1"),
        ("--listen 127.0.0.1:1 --port 2", "--listen 127.0.0.1:1"),
        ("--listen 0.0.0.0 --port 1", "--port 1"),
        ("--listen [::] --port 1", "--port 1"),
    ] {
        let arguments = format!("{options} --metrics 1");
        let said = refused(2, &arguments.split(' ').collect::<Vec<_>>());
        for part in ["--metrics 127.0.0.1:1", named, "choose another port"] {
            assert!(said.contains(part), "{options}: {part} in {said}");
        }
    }
}

#[test]
fn metrics_share_a_port_with_services_on_other_addresses_or_over_udp() {
    for options in [
        "--proto udp --port 1",
        "--listen 127.0.0.2 --port 1",
        "--listen [::] --only-v6 --port 1",
        "--port 0",
    ] {
        // The user is unknown, so a server that sees no conflict fails with this message before it opens a port.
        let arguments = format!("{options} --metrics 1 --user no-such-user");
        let said = refused(1, &arguments.split(' ').collect::<Vec<_>>());
        assert!(said.contains("no-such-user"), "{options}: {said}");
    }
}
