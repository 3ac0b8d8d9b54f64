//! Gets one small text from a web server. No redirections, no cookies, one answer for one connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::tls::error::TlsError;
use crate::tls::web::WebTls;
use crate::transport::dial::{DialError, Source, dial};
use crate::wire::http_response::{HttpError, HttpProgress, MAX_HEADER, read};

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The host has no address, or none was answered at.
    #[error("the web server cannot be called: {0}")]
    Dial(#[from] DialError),
    /// The name has no address.
    #[error("the web server has no address")]
    NoAddress,
    /// It does not prove its name.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The connection was lost.
    #[error("the connection with the web server was lost")]
    Lost(#[from] std::io::Error),
    /// It sent something else.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It took too long.
    #[error("the web server took too long")]
    TimedOut,
}

/// Gets `path` of `host` from the first address that answers, in this time at most.
pub async fn get(
    tls: &WebTls,
    host: &str,
    addresses: &[SocketAddr],
    path: &str,
    max_content: usize,
    patience: Duration,
) -> Result<Vec<u8>, GetError> {
    let getting = async {
        let mut last = GetError::NoAddress;
        for address in addresses {
            match dial(*address, Source::Gateway, patience / 2).await {
                Ok(dialled) => return converse(tls, dialled.stream, host, path, max_content).await,
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    };
    timeout(patience, getting).await.unwrap_or(Err(GetError::TimedOut))
}

async fn converse(
    tls: &WebTls,
    stream: tokio::net::TcpStream,
    host: &str,
    path: &str,
    max_content: usize,
) -> Result<Vec<u8>, GetError> {
    let mut stream = tls.connect(stream, host).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut octets = Vec::new();
    let mut room = vec![0; 8192];
    loop {
        // Without the end that TLS has of its own, this is an error.
        let count = stream.read(&mut room).await?;
        octets.extend_from_slice(room.get(..count).unwrap_or_default());
        match read(&octets, count == 0, max_content)? {
            HttpProgress::Content(content) => return Ok(content),
            // Chunks may have a line each.
            HttpProgress::More if octets.len() > MAX_HEADER + 8 * max_content => {
                return Err(HttpError::TooLong.into());
            }
            HttpProgress::More => {}
        }
    }
}
