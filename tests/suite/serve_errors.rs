//! Tests the error messages of `daytime serve`: each is printed once, on standard error.

use crate::metrics::GET;
use crate::or_skip;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually};
use crate::support::{
    Namespace, Running, bad, complains, daytime, good, ipv6, mentions, program, run, skip, stderr,
};
use nix::unistd::geteuid;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Runs `daytime serve` with arguments that it cannot serve. Returns standard error.
fn refused(arguments: &[&str]) -> String {
    bad(1, daytime().arg("serve").args(arguments))
}

/// Runs `daytime serve` with invalid arguments. Returns standard error.
fn usage_error(arguments: &[&str]) -> String {
    bad(2, daytime().arg("serve").args(arguments))
}

#[test]
fn a_taken_port_is_reported_on_both_transports() {
    for transport in ["tcp", "udp"] {
        let first = Running::serve(&["--listen", "127.0.0.1", "--proto", transport]);
        let address = first.bound[0].1.to_string();
        let message = refused(&["--listen", &address, "--proto", transport]);
        let socket = format!("{transport} {address}: ");
        complains(&message, &["cannot listen", &socket, "in use", "`ss -lntup`", "--port"]);
    }
}

#[test]
fn a_port_taken_on_one_transport_only_is_not_served_on_the_other() {
    let first = Running::serve(&["--listen", "127.0.0.1", "--proto", "udp"]);
    let address = first.udp().to_string();
    let message = refused(&["--listen", &address]);
    complains(&message, &["cannot listen", &format!("udp {address}: "), "in use"]);
}

#[test]
fn both_wildcards_on_one_port_are_refused_with_the_reason() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "0.0.0.0", "--listen", "::"]);
    let message = bad(1, &mut serve);
    complains(&message, &["cannot listen", "tcp [::]:13: ", "in use", "--port"]);
    mentions(&message, &["IPv4", "0.0.0.0", "--only-v6"]);
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
    let message = bad(1, serve.arg("serve"));
    complains(&message, &["cannot listen", "tcp 127.0.0.1:13: ", "denied", "1024"]);
    mentions(&message, &["--port 9999", "root", "`setcap cap_net_bind_service=+ep`"]);
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
    let message = refused(&["--listen", "192.0.2.1:0"]);
    complains(&message, &["cannot listen", "tcp 192.0.2.1:0: ", "no interface", "`ip -4 address`"]);
    mentions(&message, &["FreeBind=yes", "systemd"]);
    let message = refused(&["--listen", "[2001:db8::7]:0", "--proto", "udp"]);
    complains(&message, &["cannot listen", "udp [2001:db8::7]:0: ", "`ip -6 address`"]);
    assert!(!message.contains("[::1]:9999"), "{message}");
    // Without brackets, the port would be a part of the address.
    let message = refused(&["--listen", "2001:db8::7:9999", "--proto", "udp"]);
    complains(&message, &["IPv6", "brackets", "[::1]:9999"]);
}

#[test]
fn one_bad_address_stops_the_whole_server() {
    let message = refused(&["--port", "0", "--listen", "127.0.0.1", "--listen", "192.0.2.1"]);
    complains(&message, &["cannot listen", "tcp 192.0.2.1:"]);
}

#[test]
fn without_its_only_family_the_server_does_not_start() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    good(inside.command("ip").args(["-6", "addr", "del", "::1/128", "dev", "lo"]));
    let message = bad(1, inside.daytime().args(["serve", "--listen", "::1"]));
    complains(&message, &["cannot listen", "tcp [::1]:13: ", "address family", "--listen"]);
}

/// Asserts a usage error whose first line mentions these parts, and whose last line names `--help`.
fn assert_usage(arguments: &[&str], parts: &[&str]) {
    let message = usage_error(arguments);
    let first = message.lines().next().unwrap_or_default();
    assert!(first.starts_with("error: "), "{message}");
    mentions(first, parts);
    mentions(message.lines().next_back().unwrap_or_default(), &["--help"]);
}

/// Asserts a usage error that names an option with its value, and mentions these parts of the reason.
fn assert_refused_value(option: &str, value: &str, reason: &[&str]) {
    let named = [format!("'{value}'"), format!("'{option} <")];
    let named = named.each_ref().map(String::as_str);
    assert_usage(&[option, value], &[&named, reason].concat());
}

#[test]
fn a_bad_pattern_is_refused_with_the_offending_part_named() {
    for (pattern, reason) in [
        ("%F%n%T", &[r#""%n""#, "octet 3", "control character"][..]),
        ("%F %Q", &[r#""%Q""#, "octet 4", "strftime specifier"]),
        ("le %d août", &[r#""û""#, "octet 9", "not ASCII"]),
        ("", &["empty", "nothing"]),
    ] {
        assert_refused_value("--strftime", pattern, reason);
    }
}

#[test]
fn a_pattern_that_could_exceed_512_octets_is_refused_at_start() {
    let pattern = "x".repeat(511);
    assert_refused_value("--strftime", &pattern, &["above 512 octets"]);
}

#[test]
fn a_bad_zone_is_refused_with_the_valid_ones() {
    let reason = ["no such zone", "utc", "local", "IANA", "Europe/Rome", "+HH:MM"];
    assert_refused_value("--zone", "Mars/Olympus", &reason);
}

#[test]
fn a_tz_without_an_iana_name_is_reported() {
    for value in ["CET-1CEST", "Europe/Berlinn"] {
        let mut serve = daytime();
        serve.env("TZ", value).args(["serve", "--zone", "local"]);
        mentions(&bad(2, &mut serve), &[&format!("TZ={value}"), "Europe/Rome", "correct TZ"]);
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
    mentions(&message, &["local zone", r#""/etc/localtime""#, "no IANA name"]);
}

#[test]
fn a_bad_syntax_is_refused_with_the_valid_ones() {
    let reason = ["no such syntax", "ctime", "nist", "rfc3339", "rfc867", "smtp"];
    assert_refused_value("--syntax", "iso", &reason);
}

#[test]
fn a_zone_for_nist_is_refused() {
    let mut serve = daytime();
    let message = bad(2, serve.args(["serve", "--syntax", "nist", "--zone", "Europe/Rome"]));
    complains(&message, &["--syntax nist", "UTC", "leave --zone out"]);
}

#[test]
fn an_invalid_listen_address_is_refused_with_examples() {
    let reason = ["IP address", "127.0.0.1", "0.0.0.0:9999", "::1", "[::]:9999"];
    assert_refused_value("--listen", "localhost:9999", &reason);
}

#[test]
fn an_unknown_option_is_refused() {
    assert_usage(&["--bogus"], &["'--bogus'", "unexpected"]);
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
        let message = usage_error(&[option, value]);
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
            complains(&said, &["open files", "`ulimit -n`", "LimitNOFILE=", "systemd"]);
            false
        };
        let bound = (4..100).find(starts).expect("100 are enough");
        if options != ["--proto", "udp"] {
            let [limit, least] =
                [format!(" {} open files ", bound - 1), format!(" at least {bound},")];
            mentions(&said, &["daytime: cannot serve: ", &limit, "too few", "raise", &least]);
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
        let said = usage_error(&arguments.split(' ').collect::<Vec<_>>());
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
        let said = refused(&arguments.split(' ').collect::<Vec<_>>());
        assert!(said.contains("no-such-user"), "{options}: {said}");
    }
}
