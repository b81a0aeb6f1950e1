//! The two listeners.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use custody::{ServerIdentity, TlsError};
use tokio::sync::watch;

/// Requests under way at shutdown get this long.
const DRAIN: Duration = Duration::from_secs(2);

/// A listener could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket failed.
    #[error("a listener failed")]
    Io(#[from] io::Error),
    /// The certificate was refused.
    #[error("the agent API's certificate was refused")]
    Tls(#[from] TlsError),
}

/// Serves the user API until shutdown.
///
/// # Errors
/// The socket failed.
pub async fn serve_users(
    listener: std::net::TcpListener,
    router: Router,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let handle = Handle::new();
    tokio::spawn(stop(handle.clone(), shutdown));
    Ok(axum_server::from_tcp(listener)?.handle(handle).serve(router.into_make_service()).await?)
}

/// Serves the agent API over TLS until shutdown.
///
/// # Errors
/// The socket failed or the certificate was refused.
pub async fn serve_agents(
    listener: std::net::TcpListener,
    identity: &ServerIdentity,
    router: Router,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let config = RustlsConfig::from_config(Arc::new(identity.server_config()?));
    let handle = Handle::new();
    tokio::spawn(stop(handle.clone(), shutdown));
    Ok(axum_server::from_tcp_rustls(listener, config)?
        .handle(handle)
        .serve(router.into_make_service())
        .await?)
}

async fn stop(handle: Handle<std::net::SocketAddr>, mut shutdown: watch::Receiver<bool>) {
    // A sender that is gone means the same as `true`.
    let _ = shutdown.wait_for(|stop| *stop).await;
    handle.graceful_shutdown(Some(DRAIN));
}
