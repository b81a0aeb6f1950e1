//! The agent API's certificate: self-signed, and trusted by agents only through its pin.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// SHA-256 of a certificate's DER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CertificatePin([u8; 32]);

/// A text is not a pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate pin: 64 hex digits are needed")]
pub struct PinError;

/// TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate could not be made.
    #[error("the certificate could not be made")]
    Certificate(#[source] rcgen::Error),
    /// The library refused the configuration.
    #[error("the TLS configuration was refused")]
    Config(#[source] rustls::Error),
}

/// A certificate with its key.
pub struct ServerIdentity {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl ServerIdentity {
    /// A fresh self-signed certificate for loopback names. Its key comes from the operating system's random bytes, the
    /// only source that the library takes.
    ///
    /// # Errors
    /// The library could not make it.
    pub fn mint() -> Result<Self, TlsError> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(TlsError::Certificate)?;
        Ok(Self {
            certificate: made.cert.der().to_vec(),
            key: Zeroizing::new(made.signing_key.serialize_der()),
        })
    }

    pub(crate) fn from_parts(certificate: Vec<u8>, key: Zeroizing<Vec<u8>>) -> Self {
        Self { certificate, key }
    }

    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        (&self.certificate, &self.key)
    }

    /// What agents recognize it by.
    pub fn pin(&self) -> CertificatePin {
        CertificatePin::of(&self.certificate)
    }

    /// The server's side.
    ///
    /// # Errors
    /// The library refused certificate or key.
    pub fn server_config(&self) -> Result<ServerConfig, TlsError> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.to_vec()));
        ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(self.certificate.clone())], key)
            .map_err(TlsError::Config)
    }
}

impl CertificatePin {
    fn of(certificate: &[u8]) -> Self {
        let mut out = [0u8; 32];
        out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, certificate).as_ref());
        Self(out)
    }
}

/// The agent's side: exactly the certificate with this pin is trusted, whatever name it bears, and it must prove that it
/// has the key.
///
/// # Errors
/// The library refused the configuration.
pub fn pinned_client_config(pin: CertificatePin) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(provider::default_provider());
    let verifier = Arc::new(Pinned { pin, provider: Arc::clone(&provider) });
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

#[derive(Debug)]
struct Pinned {
    pin: CertificatePin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if CertificatePin::of(end_entity).0.ct_eq(&self.pin.0).into() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Display for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CertificatePin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| PinError)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// What a client with this pin reads from the server, or why it refused.
    fn exchange(pin: CertificatePin, server: ServerConfig) -> Result<[u8; 2], rustls::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut tls = rustls::ServerConnection::new(Arc::new(server)).unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut socket);
            let _ = stream.write_all(b"ok");
            let _ = stream.flush();
        });
        let mut socket = TcpStream::connect(address).unwrap();
        let name = ServerName::try_from("agents.invalid").unwrap();
        let config = Arc::new(pinned_client_config(pin).unwrap());
        let mut tls = rustls::ClientConnection::new(config, name).unwrap();
        let mut got = [0; 2];
        let read = rustls::Stream::new(&mut tls, &mut socket).read_exact(&mut got);
        drop(socket);
        serving.join().unwrap();
        read.map(|()| got).map_err(|e| e.downcast::<rustls::Error>().unwrap())
    }

    #[test]
    fn the_pinned_certificate_is_trusted_and_no_other() {
        let (ours, theirs) = (ServerIdentity::mint().unwrap(), ServerIdentity::mint().unwrap());
        assert_eq!(exchange(ours.pin(), ours.server_config().unwrap()), Ok(*b"ok"));
        let refused = exchange(ours.pin(), theirs.server_config().unwrap());
        let reason = rustls::CertificateError::ApplicationVerificationFailure;
        assert_eq!(refused, Err(rustls::Error::InvalidCertificate(reason)));
    }

    // A certificate is public: whoever copies it must still fail for want of its key, in both versions of the protocol.
    #[test]
    fn the_pinned_certificate_without_its_key_is_refused() {
        use rustls::sign::{CertifiedKey, SingleCertAndKey};
        let (ours, theirs) = (ServerIdentity::mint().unwrap(), ServerIdentity::mint().unwrap());
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let their_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(theirs.key.to_vec()));
            let certified = CertifiedKey::new(
                vec![CertificateDer::from(ours.certificate.clone())],
                provider::sign::any_supported_type(&their_key).unwrap(),
            );
            let server = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
            let reason = rustls::CertificateError::BadSignature;
            assert_eq!(exchange(ours.pin(), server), Err(rustls::Error::InvalidCertificate(reason)));
        }
    }

    #[test]
    fn a_pin_survives_being_written_down() {
        let pin = ServerIdentity::mint().unwrap().pin();
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert_eq!("00ff".parse::<CertificatePin>(), Err(PinError));
    }
}
