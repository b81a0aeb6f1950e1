//! An HTTP/1.1 client that sends exactly what it is told to, however wrong it is.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::rest::ErrorBody;

use crate::plane::Plane;

/// An answer that takes longer has not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request to the user API. By default it is a good one.
#[derive(Clone)]
pub(crate) struct Request {
    to: SocketAddr,
    line: String,
    pub(crate) headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(plane: &Plane, method: &str, target: &str) -> Self {
        let headers = [
            ("Host", plane.users.to_string()),
            ("Authorization", format!("Bearer {}", plane.token())),
            ("Connection", "close".to_owned()),
        ];
        Self {
            to: plane.users,
            line: format!("{method} {target} HTTP/1.1"),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            body: Vec::new(),
        }
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    pub(crate) fn version(mut self, version: &str) -> Self {
        self.line = self.line.replace("HTTP/1.1", version);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.with("Content-Length", &length)
    }

    pub(crate) fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.with("Content-Type", "application/json").body(body)
    }

    /// The body in chunks, its length not declared.
    pub(crate) fn chunked(mut self, chunks: &[&[u8]]) -> Self {
        self.body = chunks
            .iter()
            .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
            .chain(*b"0\r\n\r\n")
            .collect();
        self.with("Transfer-Encoding", "chunked")
    }

    fn bytes(&self) -> Vec<u8> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        [format!("{}\r\n{headers}\r\n", self.line).as_bytes(), &self.body].concat()
    }

    pub(crate) async fn send(&self) -> Reply {
        exchange(self.to, &self.bytes()).await.unwrap_or_else(|| panic!("no answer to {}", self.line))
    }
}

/// Sends the bytes and reads the answer; `None` where the connection ends without one.
pub(crate) async fn exchange(to: SocketAddr, request: &[u8]) -> Option<Reply> {
    tokio::time::timeout(PATIENCE, async {
        let (mut from, mut into) = TcpStream::connect(to).await.unwrap().into_split();
        let request = request.to_vec();
        // A server that has heard enough closes while we still send.
        let sending = tokio::spawn(async move {
            let _ = into.write_all(&request).await;
            into
        });
        let reply = read(&mut from).await;
        sending.abort();
        reply
    })
    .await
    .unwrap()
}

async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Reply> {
    let mut got = Vec::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut part).await.unwrap_or(0);
        got.extend_from_slice(&part[..count]);
        let reply = parse(&got);
        if count == 0 || reply.as_ref().is_some_and(|(_, whole)| *whole) {
            return reply.map(|(reply, _)| reply);
        }
    }
}

/// The answer so far, and whether it is whole by its declared length.
fn parse(got: &[u8]) -> Option<(Reply, bool)> {
    let end = got.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(got[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = got[end + 4..].to_vec();
    let reply = Reply { status, head, body };
    let length = reply.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let whole = length.is_some_and(|length| reply.body.len() >= length);
    Some((reply, whole))
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn doc<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        format!("{}\n\n{}", self.head, String::from_utf8_lossy(&self.body))
    }

    /// The answer must be this error, told in the one shape that errors have.
    pub(crate) fn must_be(&self, status: u16, code: &str) -> ErrorBody {
        let content_type = self.header("content-type").map(ToOwned::to_owned);
        must_be((self.status, content_type.as_deref(), &self.body), status, code)
    }
}

/// Status, content type and body must be this error, told in the one shape that errors have.
pub(crate) fn must_be(got: (u16, Option<&str>, &[u8]), status: u16, code: &str) -> ErrorBody {
    let (found, content_type, body) = got;
    let text = String::from_utf8_lossy(body);
    assert_eq!((found, content_type), (status, Some("application/json")), "{text}");
    let error: ErrorBody = serde_json::from_slice(body).unwrap_or_else(|why| panic!("{why}: {text}"));
    assert_eq!(error.code, code, "{text}");
    assert!(!error.message.is_empty(), "it says what happened: {text}");
    assert!(error.next.as_ref().is_some_and(|next| !next.is_empty()), "it says what to do: {text}");
    error
}
