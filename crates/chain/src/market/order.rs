//! What is signed: orders, which agent may speak for a provider, and what was done. All by EIP-712, bound to one market
//! on one chain.

use std::fmt;
use std::str::FromStr;

use alloy::primitives::{Address, B256, Signature, U256};
use alloy::sol_types::{Eip712Domain, SolStruct, SolValue, eip712_domain};

use super::bindings;

/// Length of a signature: `r`, `s`, and 27 or 28.
pub const SIGNATURE_BYTES: usize = 65;
const SECONDS_PER_HOUR: u128 = 3_600;

alloy::sol! {
    struct Delegation {
        bytes32 lease;
        address agent;
    }
    struct Commitment {
        bytes32 lease;
        bytes32 root;
        uint32 leafCount;
    }
}

/// An offer's name: its provider's address and a number that the provider chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId(pub B256);

impl OfferId {
    /// The offer that `provider` posts under `salt`.
    pub fn new(provider: Address, salt: [u8; 12]) -> Self {
        let mut bytes = [0; 32];
        bytes[..20].copy_from_slice(provider.as_slice());
        bytes[20..].copy_from_slice(&salt);
        Self(B256::from(bytes))
    }

    /// Whose offer it is.
    pub fn provider(&self) -> Address {
        Address::from_slice(&self.0[..20])
    }

    /// The provider's own number for it.
    pub fn salt(&self) -> [u8; 12] {
        let mut salt = [0; 12];
        salt.copy_from_slice(&self.0[20..]);
        salt
    }
}

impl fmt::Display for OfferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for OfferId {
    type Err = <B256 as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a consumer asks for. Its digest is the lease's name, and every call about the lease brings all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who pays.
    pub consumer: Address,
    /// What is bought, and thereby from whom.
    pub offer: OfferId,
    /// Keccak-256 of the job's specification.
    pub job_hash: B256,
    /// Keccak-256 of the contact's bytes.
    pub contact_hash: B256,
    /// The most that one unit may cost for an hour, in micro-units.
    pub max_price_per_hour: u64,
    /// Units bought.
    pub units: u32,
    /// Seconds bought.
    pub span: u32,
    /// The last second, since the epoch, at which it may be created and accepted.
    pub accept_by: u64,
    /// Tells equal orders of one consumer apart.
    pub salt: u64,
}

impl Order {
    /// As ABI-encoded bytes, to be kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        bindings::Order::from(self).abi_encode()
    }

    /// Back from [`Self::to_bytes`]; `None` when the bytes are nothing of the kind.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bindings::Order::abi_decode_validate(bytes).ok().map(Self::from)
    }
}

impl From<&Order> for bindings::Order {
    fn from(order: &Order) -> Self {
        Self {
            consumer: order.consumer,
            offer: order.offer.0,
            jobHash: order.job_hash,
            contactHash: order.contact_hash,
            maxPricePerHour: order.max_price_per_hour,
            units: order.units,
            span: order.span,
            acceptBy: seconds40(order.accept_by),
            salt: order.salt,
        }
    }
}

impl From<bindings::Order> for Order {
    fn from(order: bindings::Order) -> Self {
        Self {
            consumer: order.consumer,
            offer: OfferId(order.offer),
            job_hash: order.jobHash,
            contact_hash: order.contactHash,
            max_price_per_hour: order.maxPricePerHour,
            units: order.units,
            span: order.span,
            accept_by: order.acceptBy.to(),
            salt: order.salt,
        }
    }
}

/// Seconds as the contract counts them; a later moment than it knows is the last it knows.
pub(super) fn seconds40(seconds: u64) -> alloy::primitives::aliases::U40 {
    alloy::primitives::aliases::U40::saturating_from(seconds)
}

/// What `seconds` cost at `rate` micro-units an hour, rounded up once as the contract does. `None` beyond what an account
/// can hold.
pub fn charge(rate: u64, seconds: u32) -> Option<u64> {
    let product = u128::from(rate) * u128::from(seconds);
    u64::try_from(product.div_ceil(SECONDS_PER_HOUR)).ok()
}

/// The digests of one market on one chain.
#[derive(Debug, Clone)]
pub struct Digests {
    domain: Eip712Domain,
    separator: B256,
}

impl Digests {
    /// Of the market at `market` on the chain with this id.
    pub fn new(chain_id: u64, market: Address) -> Self {
        let domain = eip712_domain! {
            name: "Waag",
            version: "1",
            chain_id: chain_id,
            verifying_contract: market,
        };
        Self { separator: domain.hash_struct(), domain }
    }

    /// The EIP-712 domain separator: all that somebody needs who makes these digests without the chain.
    pub fn separator(&self) -> B256 {
        self.separator
    }

    /// The name of the lease that an order makes.
    pub fn lease(&self, order: &Order) -> B256 {
        bindings::Order::from(order).eip712_signing_hash(&self.domain)
    }

    /// What a provider signs to let `agent` commit in its name, for one lease.
    pub fn delegation(&self, lease: B256, agent: Address) -> B256 {
        Delegation { lease, agent }.eip712_signing_hash(&self.domain)
    }

    /// What an agent signs to commit to a root.
    pub fn commitment(&self, lease: B256, root: B256, leaf_count: u32) -> B256 {
        Commitment { lease, root, leafCount: leaf_count }.eip712_signing_hash(&self.domain)
    }
}

/// Whose signature of `digest` this is. `None` when it is nobody's, or not in the one form that the contract takes.
pub fn signer_of(digest: B256, signature: &[u8]) -> Option<Address> {
    let bytes: &[u8; SIGNATURE_BYTES] = signature.try_into().ok()?;
    if !matches!(bytes[64], 27 | 28) {
        return None;
    }
    let signature = Signature::new(
        U256::from_be_slice(&bytes[..32]),
        U256::from_be_slice(&bytes[32..64]),
        bytes[64] == 28,
    );
    if signature.normalize_s().is_some() {
        return None;
    }
    signature.recover_address_from_prehash(&digest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            consumer: Address::repeat_byte(1),
            offer: OfferId::new(Address::repeat_byte(2), [3; 12]),
            job_hash: B256::repeat_byte(4),
            contact_hash: B256::repeat_byte(5),
            max_price_per_hour: u64::MAX,
            units: 1,
            span: 3_600,
            accept_by: 1_800_000_000,
            salt: 9,
        }
    }

    #[test]
    fn offer_id_names_its_provider() {
        let id = OfferId::new(Address::repeat_byte(2), [3; 12]);
        assert_eq!((id.provider(), id.salt()), (Address::repeat_byte(2), [3; 12]));
        assert_eq!(id.to_string().parse::<OfferId>().unwrap(), id);
        assert!("0x12".parse::<OfferId>().is_err());
    }

    #[test]
    fn order_comes_back_from_its_bytes_and_from_no_others() {
        let bytes = order().to_bytes();
        assert_eq!(Order::from_bytes(&bytes), Some(order()));
        for end in [0, 1, 31, 287] {
            assert_eq!(Order::from_bytes(&bytes[..end]), None, "{end}");
        }
        let mut dirty = bytes.clone();
        dirty[0] = 1;
        assert_eq!(Order::from_bytes(&dirty), None, "bits beyond an address");
    }

    #[test]
    fn charge_rounds_up_once_and_knows_its_bounds() {
        assert_eq!(charge(360_000, 1), Some(100));
        assert_eq!(charge(1, 1), Some(1));
        assert_eq!(charge(0, 77), Some(0));
        assert_eq!(charge(u64::MAX, 3_600), Some(u64::MAX));
        assert_eq!(charge(u64::MAX, 3_601), None);
    }

    #[test]
    fn signature_of_another_form_is_nobodys() {
        let digest = B256::repeat_byte(7);
        for signature in [vec![], vec![0; 64], vec![0; 65], vec![27; 66], [vec![1; 64], vec![0]].concat()] {
            assert_eq!(signer_of(digest, &signature), None);
        }
    }

    #[test]
    fn digests_of_another_market_or_chain_are_others() {
        let here = Digests::new(1, Address::repeat_byte(1));
        for other in [Digests::new(2, Address::repeat_byte(1)), Digests::new(1, Address::repeat_byte(2))] {
            assert_ne!(here.separator(), other.separator());
            assert_ne!(here.lease(&order()), other.lease(&order()));
        }
    }
}
