//! The two listeners.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use tokio::sync::watch;

/// Requests under way at shutdown get this long.
const DRAIN: Duration = Duration::from_secs(2);
/// A connection on which no whole request head arrives for so long is closed.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);

/// A listener could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket failed.
    #[error("a listener failed")]
    Io(#[from] io::Error),
}

/// Serves a router over plain HTTP until shutdown: the user API, or another that only this machine can reach.
///
/// # Errors
/// The socket failed.
pub async fn serve_http(
    listener: std::net::TcpListener,
    router: Router,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let handle = Handle::new();
    tokio::spawn(stop(handle.clone(), shutdown));
    let mut server = axum_server::from_tcp(listener)?.handle(handle).http1_only();
    server.http_builder().http1().header_read_timeout(HEAD_PATIENCE);
    Ok(server.serve(router.into_make_service()).await?)
}

/// Serves the agent API over TLS until shutdown.
///
/// # Errors
/// The socket failed.
pub async fn serve_agents(
    listener: std::net::TcpListener,
    tls: ServerConfig,
    router: Router,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let config = RustlsConfig::from_config(Arc::new(tls));
    let handle = Handle::new();
    tokio::spawn(stop(handle.clone(), shutdown));
    let mut server = axum_server::from_tcp_rustls(listener, config)?.handle(handle).http1_only();
    server.http_builder().http1().header_read_timeout(HEAD_PATIENCE);
    Ok(server.serve(router.into_make_service()).await?)
}

async fn stop(handle: Handle<std::net::SocketAddr>, mut shutdown: watch::Receiver<bool>) {
    // A sender that is gone means the same as `true`.
    let _ = shutdown.wait_for(|stop| *stop).await;
    handle.graceful_shutdown(Some(DRAIN));
}
