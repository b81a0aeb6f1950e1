//! What the daemon remembers: where its follower stands, the offers and leases that it saw there, and which agents it
//! started. One file, replaced whole, so that the cursor and what the events brought about are never apart. All but the
//! agents could be read from the chain again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chain::follow::Page;
use chain::market::{Contact, Happened, MarketEvent, OfferId, OfferTerms, Order, Spec};
use chain::{Address, B256};
use domain::{Label, LeaseId};
use market::MachineRef;
use serde::{Deserialize, Serialize};

use super::error::ProviderError;
use crate::party::files::write_whole;

/// An offer of ours, as its event said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenOffer {
    pub(crate) block: u64,
    pub(crate) terms: OfferTerms,
    /// `None` when it is none that we would write today.
    pub(crate) spec: Option<Spec>,
    pub(crate) withdrawn: bool,
}

/// A lease on an offer of ours, from its creation until its end is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenLease {
    pub(crate) block: u64,
    pub(crate) order: Order,
    /// `None` when its consumer wrote something else.
    pub(crate) contact: Option<Contact>,
    /// An agent is about to be started; whether it was is not known until `agent` is set.
    pub(crate) starting: bool,
    /// The agent that was started for it.
    pub(crate) agent: Option<MachineRef>,
    /// How often one could not be started.
    pub(crate) start_failures: u32,
    /// Why the chain would not let us take it.
    pub(crate) refused: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) cursor: Option<chain::follow::Cursor>,
    pub(crate) offers: BTreeMap<OfferId, SeenOffer>,
    pub(crate) leases: BTreeMap<B256, SeenLease>,
}

/// What an agent's folder, its key and its lock are called here. It follows from the lease's name on chain: the name in
/// the contact is the consumer's to choose, and two may choose the same.
pub(crate) fn label_of(lease: B256) -> Label {
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&lease[..10]);
    Label::of(LeaseId::from_bytes(bytes))
}

impl State {
    /// Takes a page of events with its cursor.
    pub(crate) fn absorb(&mut self, me: Address, page: &Page, events: Vec<Happened>) {
        if let Some(from) = page.undo_from {
            self.offers.retain(|_, offer| offer.block < from);
            // A lease with an agent stays until the chain says that there is none: its agent has to be ended first.
            self.leases.retain(|_, lease| lease.block < from || lease.starting || lease.agent.is_some());
        }
        for Happened { event, block, .. } in events {
            match event {
                MarketEvent::OfferPosted { offer, terms, spec } if offer.provider() == me => {
                    let spec = Spec::from_bytes(&spec).ok();
                    self.offers.insert(offer, SeenOffer { block, terms, spec, withdrawn: false });
                }
                MarketEvent::OfferWithdrawn { offer } => {
                    if let Some(seen) = self.offers.get_mut(&offer) {
                        seen.withdrawn = true;
                    }
                }
                MarketEvent::LeaseCreated { lease, order, contact, .. } if order.offer.provider() == me => {
                    let contact = Contact::from_bytes(&contact).ok();
                    self.leases.entry(lease).or_insert(SeenLease {
                        block,
                        order,
                        contact,
                        starting: false,
                        agent: None,
                        start_failures: 0,
                        refused: None,
                    });
                }
                _ => {}
            }
        }
        self.cursor = Some(page.cursor.clone());
    }
}

#[derive(Serialize, Deserialize)]
struct Doc {
    chain_id: u64,
    market: String,
    cursor: Option<String>,
    offers: BTreeMap<String, OfferDoc>,
    leases: BTreeMap<String, LeaseDoc>,
}

#[derive(Serialize, Deserialize)]
struct OfferDoc {
    block: u64,
    price_per_hour: u64,
    units: u32,
    available_from: u64,
    available_until: u64,
    spec: Option<String>,
    withdrawn: bool,
}

#[derive(Serialize, Deserialize)]
struct LeaseDoc {
    block: u64,
    order: String,
    contact: Option<String>,
    starting: bool,
    agent: Option<MachineRef>,
    start_failures: u32,
    refused: Option<String>,
}

impl OfferDoc {
    fn of(offer: &SeenOffer) -> Self {
        let SeenOffer { block, terms, spec, withdrawn } = offer;
        let spec = spec.as_ref().and_then(|spec| String::from_utf8(spec.to_bytes().ok()?).ok());
        Self {
            block: *block,
            price_per_hour: terms.price_per_hour,
            units: terms.units,
            available_from: terms.available_from,
            available_until: terms.available_until,
            spec,
            withdrawn: *withdrawn,
        }
    }

    fn read(self) -> SeenOffer {
        let terms = OfferTerms {
            price_per_hour: self.price_per_hour,
            units: self.units,
            available_from: self.available_from,
            available_until: self.available_until,
        };
        let spec = self.spec.and_then(|text| Spec::from_bytes(text.as_bytes()).ok());
        SeenOffer { block: self.block, terms, spec, withdrawn: self.withdrawn }
    }
}

impl LeaseDoc {
    fn of(lease: &SeenLease) -> Self {
        Self {
            block: lease.block,
            order: hex::encode(lease.order.to_bytes()),
            contact: lease.contact.as_ref().and_then(|contact| contact.to_bytes().ok()).map(hex::encode),
            starting: lease.starting,
            agent: lease.agent,
            start_failures: lease.start_failures,
            refused: lease.refused.clone(),
        }
    }

    fn read(self) -> Option<SeenLease> {
        let contact = self.contact.and_then(|text| Contact::from_bytes(&hex::decode(text).ok()?).ok());
        Some(SeenLease {
            block: self.block,
            order: Order::from_bytes(&hex::decode(self.order).ok()?)?,
            contact,
            starting: self.starting,
            agent: self.agent,
            start_failures: self.start_failures,
            refused: self.refused,
        })
    }
}

/// The state in `file`, or an empty one where there is none.
pub(crate) fn load(file: &Path, chain_id: u64, market: Address) -> Result<State, ProviderError> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Err(source) => return Err(ProviderError::File { path: file.to_owned(), source }),
    };
    let damaged = |source| ProviderError::State { path: file.to_owned(), source };
    let doc: Doc = serde_json::from_slice(&text).map_err(damaged)?;
    if (doc.chain_id, doc.market.as_str()) != (chain_id, market.to_string().as_str()) {
        return Err(ProviderError::OtherMarket { market: doc.market, chain_id: doc.chain_id });
    }
    let wrong = |what: &'static str| damaged(serde::de::Error::custom(format!("a {what} cannot be read")));
    let mut state = State::default();
    if let Some(text) = doc.cursor {
        state.cursor = Some(text.parse().map_err(|_| wrong("cursor"))?);
    }
    for (id, offer) in doc.offers {
        state.offers.insert(id.parse().map_err(|_| wrong("offer"))?, offer.read());
    }
    for (id, lease) in doc.leases {
        let lease = lease.read().ok_or_else(|| wrong("lease"))?;
        state.leases.insert(id.parse().map_err(|_| wrong("lease"))?, lease);
    }
    Ok(state)
}

/// Keeps the state in `file`.
pub(crate) fn save(state: &State, file: &Path, chain_id: u64, market: Address) -> Result<(), ProviderError> {
    let doc = Doc {
        chain_id,
        market: market.to_string(),
        cursor: state.cursor.as_ref().map(ToString::to_string),
        offers: state.offers.iter().map(|(id, offer)| (id.to_string(), OfferDoc::of(offer))).collect(),
        leases: state.leases.iter().map(|(id, lease)| (id.to_string(), LeaseDoc::of(lease))).collect(),
    };
    let text = serde_json::to_vec_pretty(&doc).map_err(io::Error::from);
    let written = text.and_then(|text| write_whole(file, &text));
    written.map_err(|source| ProviderError::File { path: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain::follow::Cursor;
    use domain::{ExecutionId, Hardware, Millis};

    const MARKET: Address = Address::repeat_byte(0x44);

    fn me() -> Address {
        Address::repeat_byte(0x22)
    }

    fn contact() -> Contact {
        Contact {
            lease: LeaseId::from_bytes([1; 10]),
            execution: ExecutionId::from_bytes([2; 10]),
            pin: [3; 32],
            url: "https://127.0.0.1:1".to_owned(),
        }
    }

    fn spec() -> Spec {
        Spec {
            name: "mill".parse().unwrap(),
            region: "EU".parse().unwrap(),
            hardware: Hardware { cpus_milli: 1_000, memory_mib: 512, disk_mib: 100, accelerators: None },
            startup: Millis(1),
        }
    }

    fn page(number: u64, undo_from: Option<u64>) -> Page {
        let text = format!("{number}::{}", B256::repeat_byte(9));
        let cursor: Cursor = text.parse().unwrap();
        Page { undo_from, events: Vec::new(), cursor, at_head: true }
    }

    fn happened(event: MarketEvent, block: u64) -> Happened {
        Happened { event, at: domain::Timestamp(0), block, tx: B256::ZERO }
    }

    fn posted(provider: Address) -> MarketEvent {
        let terms = OfferTerms { price_per_hour: 5, units: 1, available_from: 1, available_until: 9 };
        let offer = OfferId::new(provider, [0; 12]);
        MarketEvent::OfferPosted { offer, terms, spec: spec().to_bytes().unwrap().into() }
    }

    fn created(provider: Address, lease: u8, contact: Vec<u8>) -> MarketEvent {
        let order = Order {
            consumer: Address::repeat_byte(0x11),
            offer: OfferId::new(provider, [0; 12]),
            job_hash: B256::ZERO,
            contact_hash: Contact::hash(&contact),
            max_price_per_hour: 5,
            units: 1,
            span: 60,
            accept_by: 100,
            salt: u64::from(lease),
        };
        let contact = contact.into();
        MarketEvent::LeaseCreated { lease: B256::repeat_byte(lease), order, escrow: 1, contact }
    }

    #[test]
    fn only_what_is_ours_is_kept_and_comes_back_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        let mut state = load(&file, 7, MARKET).unwrap();
        let stranger = Address::repeat_byte(0x33);
        let good = contact().to_bytes().unwrap();
        let events = vec![
            happened(posted(me()), 1),
            happened(posted(stranger), 1),
            happened(created(me(), 1, good.clone()), 2),
            happened(created(stranger, 2, good.clone()), 2),
            happened(created(me(), 3, b"nonsense".to_vec()), 3),
            happened(MarketEvent::OfferWithdrawn { offer: OfferId::new(me(), [0; 12]) }, 3),
        ];
        state.absorb(me(), &page(3, None), events.clone());
        let agent = MachineRef { pid: 5, started: 6 };
        state.leases.get_mut(&B256::repeat_byte(1)).unwrap().agent = Some(agent);
        save(&state, &file, 7, MARKET).unwrap();
        let again = load(&file, 7, MARKET).unwrap();
        assert_eq!(again, state);
        assert_eq!((again.offers.len(), again.leases.len()), (1, 2));
        assert!(again.offers.values().all(|offer| offer.withdrawn && offer.spec == Some(spec())));
        let lease = |byte: u8| &again.leases[&B256::repeat_byte(byte)];
        assert_eq!((lease(1).contact.clone(), lease(3).contact.clone()), (Some(contact()), None));
        // Seen a second time, an agent that was started is not forgotten.
        let mut twice = again.clone();
        twice.absorb(me(), &page(3, None), events);
        assert_eq!(twice.leases[&B256::repeat_byte(1)].agent, Some(agent));
        assert!(matches!(load(&file, 8, MARKET), Err(ProviderError::OtherMarket { chain_id: 7, .. })));
        assert!(matches!(load(&file, 7, me()), Err(ProviderError::OtherMarket { .. })));
        std::fs::write(&file, "{").unwrap();
        assert!(matches!(load(&file, 7, MARKET), Err(ProviderError::State { .. })));
    }

    #[test]
    fn what_a_reorganization_took_back_is_undone() {
        let good = contact().to_bytes().unwrap();
        let mut state = State::default();
        let events = vec![
            happened(posted(me()), 1),
            happened(created(me(), 1, good.clone()), 2),
            happened(created(me(), 2, good.clone()), 3),
            happened(created(me(), 3, good), 3),
        ];
        state.absorb(me(), &page(3, None), events);
        state.leases.get_mut(&B256::repeat_byte(3)).unwrap().agent = Some(MachineRef { pid: 5, started: 6 });
        state.absorb(me(), &page(3, Some(3)), Vec::new());
        let left: Vec<u8> = state.leases.keys().map(|id| id[0]).collect();
        assert_eq!((left, state.offers.len()), (vec![1, 3], 1), "an agent is not lost sight of");
    }
}
