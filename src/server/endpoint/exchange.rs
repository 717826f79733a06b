//! One HTTP exchange (RFC 9112) over a non-blocking socket. hyper parses the request and writes the
//! response.

use super::RenderPage;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use mio::net::TcpStream;
use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

/// Maximum length of a request's head in octets. hyper rejects a larger head with status 431.
const HEAD_OCTETS: usize = 8192;
/// Maximum number of header fields in a request. hyper rejects a request with more fields with
/// status 431.
const HEAD_FIELDS: usize = 64;
/// Maximum number of octets that the server discards after a request. If the server closed a socket
/// with unread input, the kernel would send a reset, which could destroy the answer.
const DRAIN_OCTETS: usize = 1 << 16;

/// One HTTP connection, from its request to its end. Dropping this value closes the connection.
pub(super) struct Exchange {
    pub accepted: Instant,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    woken: Arc<Woken>,
    open: Arc<AtomicUsize>,
}

impl Exchange {
    /// Begins an exchange. The count `open` includes this exchange until it is dropped.
    pub(super) fn new(stream: TcpStream, page: RenderPage, open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Self { accepted: Instant::now(), future: Box::pin(serve(stream, page)), woken, open }
    }

    /// Marks the exchange as woken, because its socket is ready.
    pub(super) fn wake(&self) {
        self.woken.0.store(true, Ordering::Relaxed);
    }

    /// Whether the exchange can continue without waiting for an event.
    pub(super) fn wants_more(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed)
    }

    /// Continues the exchange if it was woken. Returns false if the exchange has ended.
    pub(super) fn advance(&mut self) -> bool {
        if !self.woken.0.swap(false, Ordering::Relaxed) {
            return true;
        }
        let waker = Waker::from(Arc::clone(&self.woken));
        self.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Serves one request: reads it, answers it, and discards further input until the client closes.
async fn serve(stream: TcpStream, page: RenderPage) {
    let stream = Arc::new(stream);
    let answer = |request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &*page);
        ready(Ok::<_, Infallible>(response))
    };
    let mut http = http1::Builder::new();
    // A client that half-closes after its request still expects the response.
    http.keep_alive(false).half_close(true).max_headers(HEAD_FIELDS).max_buf_size(HEAD_OCTETS);
    let connection = http.serve_connection(Socket(Arc::clone(&stream)), service_fn(answer));
    // hyper responds even to an invalid request if it can. The connection then ends like any other,
    // so the error is ignored.
    let _ = connection.without_shutdown().await;
    if stream.shutdown(Shutdown::Write).is_ok() {
        let mut left = DRAIN_OCTETS;
        poll_fn(|_| drain(&stream, &mut left)).await;
    }
}

/// Content type for the Prometheus text format,
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>.
const TEXT_FORMAT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Returns the response to a request, and ignores the request's body.
fn answer(method: &Method, path: &str, page: &dyn Fn() -> String) -> Response<String> {
    let asks = matches!(*method, Method::GET | Method::HEAD);
    let (status, kind, body) = match path {
        "/metrics" if asks => (StatusCode::OK, TEXT_FORMAT, page()),
        "/" if asks => (StatusCode::OK, PLAIN, "The metrics are at /metrics\n".to_owned()),
        "/metrics" | "/" => (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET or HEAD\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, PLAIN, "The metrics are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// Discards input until the peer closes or has sent more octets than the limit.
fn drain(mut stream: &TcpStream, left: &mut usize) -> Poll<()> {
    let mut sink = [0; 4096];
    loop {
        match attempt(|| stream.read(&mut sink)) {
            Poll::Ready(Ok(octets @ 1..)) if octets <= *left => *left -= octets,
            Poll::Ready(_) => return Poll::Ready(()),
            Poll::Pending => return Poll::Pending,
        }
    }
}

/// Adapts a socket to the interface that hyper needs. Events are edge-triggered, so when a call
/// would block, a later event wakes the exchange.
struct Socket(Arc<TcpStream>);

fn attempt<T>(mut call: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
            done => return Poll::Ready(done),
        }
    }
}

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut octets = [0; HEAD_OCTETS];
        let room = buffer.remaining().min(octets.len());
        attempt(|| (&*self.0).read(&mut octets[..room]))
            .map_ok(|length| buffer.put_slice(&octets[..length]))
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        attempt(|| (&*self.0).write(octets))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }
}
