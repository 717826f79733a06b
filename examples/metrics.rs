//! Serves Daytime, and serves its metrics to Prometheus through an HTTP library that is not part of this crate.
//!
//! Run `cargo run --example metrics`, then `curl http://127.0.0.1:PORT/metrics` with the printed port.
#![allow(clippy::print_stdout, reason = "a program prints")]

use daytime::{Config, Server, Transport};
use std::error::Error;
use tiny_http::{Header, Request, Response};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?.spawn()?;
    let http = tiny_http::Server::http("127.0.0.1:0")?;
    println!("daytime {}", server.address(Transport::Tcp).ok_or("no TCP")?);
    println!("http {}", http.server_addr());

    for request in http.incoming_requests() {
        let sent = match request.url() {
            "/metrics" => respond_with_page(request, server.metrics().prometheus()),
            _ => request.respond(Response::empty(404)),
        };
        if let Err(error) = sent {
            println!("http client gone: {error}");
        }
    }
    Ok(())
}

/// Sends the page with the content type of Prometheus' text format.
fn respond_with_page(request: Request, page: String) -> std::io::Result<()> {
    let header = Header::from_bytes("Content-Type", "text/plain; version=0.0.4");
    let Ok(content_type) = header else { return request.respond(Response::empty(500)) };
    request.respond(Response::from_string(page).with_header(content_type))
}
