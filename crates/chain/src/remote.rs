//! Any other EVM chain, by the URL of its JSON-RPC.

use std::time::Duration;

use alloy::providers::{DynProvider, Provider, ProviderBuilder};

/// An answer that takes longer is taken for no answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A chain cannot be reached under this URL.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is no URL, or none of HTTP.
    #[error("`{url}` is not the URL of a JSON-RPC endpoint: write for example https://host/path")]
    Url {
        /// As it was given, without what may be a secret in it.
        url: String,
    },
    /// The client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// A provider without fillers for the chain at `url`; nothing is asked yet. Each request ends after ten seconds.
///
/// # Errors
/// When `url` is not one of HTTP or HTTPS.
pub fn connect(url: &str) -> Result<DynProvider, ConnectError> {
    // Keys of providers stand in the path or in the user part, so only scheme and host are repeated.
    let shown =
        |parsed: &reqwest::Url| format!("{}://{}", parsed.scheme(), parsed.host_str().unwrap_or_default());
    let parsed: reqwest::Url = url.parse().map_err(|_| ConnectError::Url {
        url: url.split(['/', '?']).next().unwrap_or_default().to_owned(),
    })?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(ConnectError::Url { url: shown(&parsed) });
    }
    // Fails when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(REQUEST_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
        .map_err(ConnectError::Client)?;
    Ok(ProviderBuilder::new().disable_recommended_fillers().connect_reqwest(client, parsed).erased())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_that_cannot_be_used_is_refused_without_its_secrets() {
        assert!(connect("http://127.0.0.1:8545").is_ok());
        for (url, shown) in
            [("ftp://user:key@host/secret", "ftp://host"), ("secret words", "secret words"), ("", "")]
        {
            match connect(url) {
                Err(ConnectError::Url { url }) => assert_eq!(url, shown),
                other => panic!("{url}: {other:?}"),
            }
        }
    }
}
