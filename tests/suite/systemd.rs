//! Tests the units of `packaging/systemd` under a real systemd, as an operator installs them.

use crate::or_skip;
use crate::support::systemd::{HOST, Systemd};
use crate::support::wire::{ask_tcp, connect, eventually, metrics_page, read_to_end};
use crate::support::{PATIENCE, Running, good, run};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Waits until the journal of the service has a line with all these parts.
fn logs_line(systemd: &Systemd, parts: &[&str]) {
    let has = |line: &str| parts.iter().all(|part| line.contains(part));
    eventually(&format!("a line has {parts:?}"), || systemd.log().lines().any(has));
}

#[test]
fn a_client_starts_the_service_and_the_metrics_are_on_a_socket_of_their_own() {
    let systemd = or_skip!(Systemd::boot(&["daytime.socket"]));
    assert_eq!(systemd.property("ActiveState"), "inactive");
    assert!(systemd.ask("tcp").ends_with("-UTC\n"));
    systemd.logs("tcp [::]:13 daytime\nudp [::]:13 daytime\n");
    systemd.control(&["enable", "--quiet", "daytime-metrics.socket"]);
    systemd.control(&["restart", "daytime.service"]);
    assert!(systemd.ask("udp").ends_with("-UTC\n"));
    let counted = "daytime_exchanges_total{transport=\"udp\",family=\"ipv4\"} 1\n";
    let is_counted = || metrics_page().contains(counted);
    or_skip!(systemd.network.enter(|| eventually("the exchange is counted", is_counted)));
    systemd.logs("tcp [::]:13 daytime\nudp [::]:13 daytime\nmetrics 127.0.0.1:9867\n");
}

#[test]
fn clients_that_start_an_idle_service_again_and_again_leave_the_port_open() {
    let systemd = or_skip!(Systemd::boot(&["daytime.socket"]));
    // This is one of two settings of systemd's start limit, and makes it strict. The unit's own
    // setting must disable it.
    systemd.edit("socket", "Socket", "TriggerLimitBurst=2");
    systemd.edit("service", "Service", "ExecStart=\nExecStart=/opt/daytime serve --idle 0.01");
    systemd.control(&["restart", "daytime.socket"]);
    for number in 1..=6 {
        assert!(systemd.ask("tcp").ends_with("-UTC\n"), "client {number}");
        eventually("the service is inactive", || systemd.property("ActiveState") == "inactive");
    }
    assert!(systemd.is_active("daytime.socket"));
}

#[test]
fn the_service_knows_the_state_of_the_clock() {
    let systemd = or_skip!(Systemd::boot(&["daytime.socket"]));
    let outside = Running::serve(&["--syntax", "nist"]);
    systemd.edit("service", "Service", "ExecStart=\nExecStart=/opt/daytime serve --syntax nist");
    // JJJJJ YR-MO-DA HH:MM:SS TT L H …
    let health = |line: &str| line.split_whitespace().nth(5).map(str::to_owned);
    let inside = systemd.ask("tcp");
    let line = String::from_utf8(ask_tcp(outside.tcp())).expect("ASCII");
    assert_eq!(health(&inside), health(&line), "{inside}{line}");
    systemd.logs("udp [::]:13 daytime\n");
    assert!(!systemd.log().contains("adjtimex"), "{}", systemd.log());

    systemd.edit("service", "Service", "ExecStart=\nExecStart=/opt/daytime serve --require-sync");
    systemd.control(&["start", "daytime.service"]);
    assert!(systemd.is_active("daytime.service"));
}

#[test]
fn an_unreadable_clock_is_logged_and_require_sync_does_not_start() {
    let systemd = or_skip!(Systemd::boot(&["daytime.socket"]));
    systemd.edit(
        "service",
        "Service",
        "ProtectClock=yes\nExecStart=\nExecStart=/opt/daytime serve --syntax nist",
    );
    let line = systemd.ask("tcp");
    assert_eq!(line.split_whitespace().nth(5), Some("3"), "{line}");
    logs_line(&systemd, &["clock", "synchronised", "adjtimex: "]);

    systemd.edit(
        "service",
        "Service",
        "ProtectClock=yes\nExecStart=\nExecStart=/opt/daytime serve --require-sync",
    );
    let started = run(systemd.command("systemctl").args(["start", "daytime.service"]));
    assert!(!started.status.success());
    let cause = ["clock", "synchronised", "adjtimex: ", "not permitted"];
    logs_line(&systemd, &[&["daytime: "][..], &cause, &["--require-sync needs"]].concat());
    eventually("the service has failed", || systemd.property("ExecMainStatus") == "1");
}

#[test]
fn a_reload_reads_the_zone_of_the_host_again() {
    let systemd = or_skip!(Systemd::boot(&["daytime.socket"]));
    let link = |zone: &str| {
        let script = format!("ln -sf /usr/share/zoneinfo/{zone} /etc/localtime");
        good(systemd.command("sh").args(["-c", &script]));
    };
    link("Asia/Kathmandu");
    let local = "ExecStart=\nExecStart=/opt/daytime serve --zone local";
    systemd.edit("service", "Service", local);
    assert!(systemd.ask("tcp").ends_with("-+0545\n"), "{}", systemd.ask("tcp"));
    link("Asia/Tokyo");
    systemd.control(&["reload", "daytime.service"]);
    logs_line(&systemd, &["SIGHUP: ", "now use Asia/Tokyo"]);
    for transport in ["tcp", "udp"] {
        assert!(systemd.ask(transport).ends_with("-JST\n"), "{transport}");
    }
}

#[test]
fn after_seven_kills_within_ten_seconds_it_still_serves() {
    let systemd = or_skip!(Systemd::boot(&["daytime.socket", "daytime-metrics.socket"]));
    // Seven pauses of a second and seven starts could take longer than ten seconds on a busy
    // machine.
    systemd.edit("service", "Service", "RestartSec=200ms");
    assert!(systemd.ask("tcp").ends_with("-UTC\n"));
    let begun = Instant::now();
    for kill in 1..=7 {
        systemd.control(&["kill", "--kill-who=main", "-s", "KILL", "daytime.service"]);
        eventually("systemd starts the service again", || {
            systemd.property("NRestarts") == kill.to_string()
                && systemd.property("ActiveState") == "active"
        });
    }
    let elapsed = begun.elapsed();
    assert!(elapsed < Duration::from_secs(10), "the limit of starts was not tried: {elapsed:?}");
    for unit in ["daytime.service", "daytime.socket", "daytime-metrics.socket"] {
        assert!(systemd.is_active(unit), "{unit}");
    }
    for transport in ["tcp", "udp"] {
        assert!(systemd.ask(transport).ends_with("-UTC\n"), "{transport}");
    }
}

#[test]
fn a_server_that_fails_at_every_start_keeps_its_clients_waiting_and_the_processor_idle() {
    let systemd = or_skip!(Systemd::boot(&["daytime.socket"]));
    systemd.edit("service", "Service", "ExecStart=\nExecStart=/opt/daytime serve --port 1"); // the service may not choose a port
    let line = or_skip!(systemd.network.enter(|| {
        let waiting = connect((HOST, 13).into());
        let begun = Instant::now();
        eventually("the service has failed six times", || systemd.property("NRestarts") == "6");
        let elapsed = begun.elapsed();
        assert!(elapsed >= Duration::from_secs(5), "six starts in {elapsed:?}: a busy loop");
        assert!(systemd.is_active("daytime.socket"));
        systemd.edit("service", "Service", "");
        read_to_end(&waiting)
    }));
    assert!(line.ends_with(b"-UTC\r\n"), "{}", line.escape_ascii());
}

#[test]
fn a_restart_loses_no_client() {
    let systemd = or_skip!(Systemd::boot(&["daytime.socket"]));
    // One client asks faster than the limit of one source.
    let unlimited = "ExecStart=\nExecStart=/opt/daytime serve --udp-rate 0";
    systemd.edit("service", "Service", unlimited);
    let stop = AtomicBool::new(false);
    let asking = |question: fn() -> Vec<u8>| {
        let (begun, mut asked) = (Instant::now(), 0);
        while !stop.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
            let line = question();
            assert!(line.ends_with(b"-UTC\r\n"), "{}", line.escape_ascii());
            asked += 1;
        }
        asked
    };
    let (systemd, asking) = (&systemd, &asking);
    let asked = thread::scope(|scope| {
        let client = |question| scope.spawn(move || systemd.network.enter(|| asking(question)));
        let clients = [client(over_tcp), client(over_udp)];
        for _ in 0..3 {
            systemd.control(&["restart", "daytime.service"]);
        }
        stop.store(true, Ordering::Relaxed);
        clients.map(|client| client.join().expect("no panic"))
    });
    for asked in asked {
        assert!(or_skip!(asked) >= 3, "too few clients for three restarts");
    }
}

fn over_tcp() -> Vec<u8> {
    read_to_end(&connect((HOST, 13).into()))
}

/// Sends one datagram, without retransmission.
fn over_udp() -> Vec<u8> {
    let socket = UdpSocket::bind((HOST, 0)).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.send_to(b"", (HOST, 13)).expect("sent");
    let mut line = vec![0; 512];
    let length = socket.recv(&mut line).expect("a reply in time");
    line.truncate(length);
    line
}
