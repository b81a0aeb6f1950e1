//! The boot document of an agent: where it reports to, and the provider's word that it may.

use chain::B256;
use chain::market::{Contact, Digests};
use custody::{EvmSigner, SignerError};
use market::Boot;
use wire::agent::{BootDoc, Credential, Fault, PROTOCOL, Receiver, hex_of};
use zeroize::Zeroizing;

/// What an agent is told.
pub(crate) struct Delegated<'a> {
    pub(crate) lease: B256,
    /// Its key.
    pub(crate) agent: &'a EvmSigner,
    /// Whose word it needs for each state.
    pub(crate) receiver: Option<Receiver>,
    pub(crate) fault: Option<Fault>,
}

/// Makes the boot bytes of the agent of a lease: the provider signs for the agent's key, and the agent gets that key.
pub(crate) fn boot(
    digests: &Digests,
    provider: &EvmSigner,
    delegated: Delegated<'_>,
    contact: &Contact,
) -> Result<Boot, SignerError> {
    let Delegated { lease, agent, receiver, fault } = delegated;
    let delegation = provider.sign_digest(&digests.delegation(lease, agent.address()).0)?;
    let doc = BootDoc {
        protocol: PROTOCOL,
        url: contact.url.clone(),
        pin: hex::encode(contact.pin),
        execution: contact.execution,
        credential: Credential::Delegated {
            lease: hex_of(&lease.0),
            domain: hex_of(&digests.separator().0),
            agent_key: agent.expose_hex().to_string(),
            delegation: hex_of(&delegation),
            receiver,
        },
        fault,
    };
    // A document of strings and numbers can always be written.
    let boot = Boot::new(serde_json::to_vec(&doc).unwrap_or_default());
    if let Credential::Delegated { agent_key, .. } = doc.credential {
        drop(Zeroizing::new(agent_key));
    }
    Ok(boot)
}
