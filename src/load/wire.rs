//! One connection that is kept, and one request on it at a time.

use std::{fmt, net::IpAddr, str::FromStr};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Method, Request, Uri, header, uri::PathAndQuery},
};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The largest answer that is read.
const ANSWER_BYTES: usize = 32 << 20;

/// Where a shop listens: `http://HOST:PORT`, with nothing behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    authority: String,
    host: String,
    port: u16,
}

impl Target {
    /// Whether it is on this machine, as far as its name says.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be an address such as http://127.0.0.1:8000".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if uri.scheme_str() == Some("https") {
            return Err("must be http: what ends TLS would be measured too, and hides who is slow".to_owned());
        }
        let is_bare =
            uri.path_and_query().is_none_or(|rest| rest == "/") && !authority.as_str().contains('@');
        if uri.scheme_str() != Some("http") || !is_bare {
            return Err(wrong());
        }
        Ok(Self {
            authority: authority.to_string(),
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nobody listens.
    #[error("{0} does not answer: {1}")]
    Unreachable(Target, std::io::Error),
    /// It is not HTTP, or the connection broke off.
    #[error("the connection broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// The answer is too long, or broke off.
    #[error("the answer cannot be read: {0}")]
    Body(axum::Error),
    /// No answer in time.
    #[error("there was no answer in time")]
    Silent,
    /// The answer is none of a shop.
    #[error("{0}")]
    Foreign(String),
    /// What asks has failed itself.
    #[error("what asks has failed: {0}")]
    Task(String),
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status: 200 to 299 where all is well.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Bytes,
}

impl Reply {
    /// Whether it is what was asked for.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Wire {
    target: Target,
    sender: SendRequest<Body>,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there, or does not speak HTTP.
    pub async fn open(target: &Target) -> Result<Self, Fault> {
        let host = target.host.trim_matches(['[', ']']);
        let unreachable = |error| Fault::Unreachable(target.clone(), error);
        let stream = TcpStream::connect((host, target.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with its sender; what goes wrong there, the sender says.
        tokio::spawn(connection);
        Ok(Self { target: target.clone(), sender })
    }

    /// Asks for a path with its query.
    ///
    /// # Errors
    /// When there is no answer: the connection is of no use any more.
    pub async fn get(&mut self, path: &PathAndQuery) -> Result<Reply, Fault> {
        let request = self.request(Method::GET, path, HeaderMap::new(), Body::empty());
        self.send(request).await
    }

    /// A request to where it is connected.
    pub fn request(
        &self,
        method: Method,
        path: &PathAndQuery,
        headers: HeaderMap,
        body: Body,
    ) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from(path.clone());
        *request.headers_mut() = headers;
        if let Ok(host) = self.target.authority.parse() {
            request.headers_mut().insert(header::HOST, host);
        }
        request
    }

    /// Sends a request, and waits for all of its answer.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn send(&mut self, request: Request<Body>) -> Result<Reply, Fault> {
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = to_bytes(Body::new(body), ANSWER_BYTES).await.map_err(Fault::Body)?;
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_addresses_and_nothing_more() {
        for (text, loopback) in [
            ("http://127.0.0.1:8000", true),
            ("http://[::1]:8000/", true),
            ("http://localhost", true),
            ("http://10.0.0.7:8000", false),
            ("http://shop.example", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(text.parse::<Target>().map(|target| target.is_loopback()), Ok(loopback), "{text}");
        }
        for text in
            ["", "127.0.0.1", "https://127.0.0.1", "ftp://x", "http://x/api/", "http://x/?a", "http://a@x"]
        {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
