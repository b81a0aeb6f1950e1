//! Leases from their order to their end.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use chain::B256;
use chain::market::{Contact, State, signer_of};
use chain::sender::IntentKey;
use custody::EvmSigner;
use domain::{ExecutionId, Label};
use market::{Boot, Machine, MachineError, MachineRef, MemoryMachine};
use node::provider::{Fault, Provider};
use wire::agent::{Credential, bytes_of, hex_of};

use crate::common::Scene;

const ROOT: B256 = B256::repeat_byte(5);

#[tokio::test(flavor = "multi_thread")]
async fn accepted_lease_gets_an_agent_with_the_right_boot() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    assert_eq!(scene.state(&order).await, State::Active);
    let (_, boot) = scene.agent();
    assert_eq!((boot.url.as_str(), boot.pin), ("https://127.0.0.1:7443", hex::encode([3; 32])));
    assert_eq!((boot.execution, boot.fault), (ExecutionId::from_bytes([1; 10]), None));
    let Credential::Delegated { lease, domain, agent_key, delegation, .. } = boot.credential else {
        panic!("no delegate")
    };
    let id = scene.id(&order);
    assert_eq!((lease, domain), (hex_of(&id.0), hex_of(&scene.market.digests().separator().0)));
    let agent = EvmSigner::from_hex(&agent_key).unwrap().address();
    let delegation = bytes_of::<65>(&delegation).unwrap();
    let digest = scene.market.digests().delegation(id, agent);
    assert_eq!(signer_of(digest, &delegation), Some(provider.address()));
    assert_ne!(agent, provider.address());
    scene.rest(&mut provider).await;
    assert_eq!(scene.machine.started(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_lease_is_committed_paid_and_forgotten() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    let (label, boot) = scene.agent();
    scene.agent_commits(&label, &boot, B256::repeat_byte(4), 1);
    scene.agent_commits(&label, &boot, ROOT, 2);
    scene.clock.advance(600);
    scene.by_consumer("end", &scene.market.calls().end(&order)).await;
    scene.rest(&mut provider).await;
    assert!(scene.machine.alive().is_empty(), "the agent ends with its lease");
    let lease = scene.lease(&order).await;
    assert_eq!((lease.state, lease.leaf_count), (State::Committed, 2));
    assert_eq!(scene.market.root_of(scene.id(&order)).await.unwrap(), ROOT);
    let key = scene.folder().path().join("keys/agents").join(format!("{label}.key"));
    assert!(key.exists());
    scene.by_consumer("settle", &scene.market.calls().settle(&order)).await;
    scene.rest(&mut provider).await;
    assert!(!key.exists(), "nothing is left of an agent whose lease is over");
    assert!(scene.market.account(provider.address()).await.unwrap().balance > 0);
    let status = node::provider::status(scene.folder().path()).await.unwrap();
    assert!(status.leases.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_that_ended_by_itself_is_committed_on_a_running_lease() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    let (label, boot) = scene.agent();
    scene.agent_commits(&label, &boot, ROOT, 3);
    scene.machine.die(&label);
    scene.rest(&mut provider).await;
    assert_eq!(scene.state(&order).await, State::Committed);
    // The consumer has vanished: time pays the provider, and the provider says so.
    scene.clock.advance(301);
    scene.rest(&mut provider).await;
    assert_eq!(scene.state(&order).await, State::Settled);
}

#[tokio::test(flavor = "multi_thread")]
async fn root_that_the_agent_did_not_sign_is_not_committed() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    let (label, boot) = scene.agent();
    scene.agent_commits(&label, &boot, ROOT, 3);
    let file = scene.folder().machines().join(label.as_str()).join("commitment.json");
    let said = std::fs::read_to_string(file).unwrap();
    scene.leave(&label, said.replace("\"leaf_count\":3", "\"leaf_count\":4").as_bytes());
    scene.machine.die(&label);
    scene.rest(&mut provider).await;
    assert_eq!(scene.state(&order).await, State::Refunded, "without a root there is nothing to be paid for");
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_ends_with_the_span_of_its_lease() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    let (label, boot) = scene.agent();
    scene.agent_commits(&label, &boot, ROOT, 3);
    scene.clock.advance(1_700);
    scene.rest(&mut provider).await;
    assert_eq!(scene.machine.alive().len(), 1);
    scene.clock.advance(200);
    scene.rest(&mut provider).await;
    assert!(scene.machine.alive().is_empty());
    let lease = scene.lease(&order).await;
    assert_eq!((lease.state, lease.used), (State::Committed, 1_800));
}

#[tokio::test(flavor = "multi_thread")]
async fn order_that_cannot_be_served_is_turned_away() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let (mut nowhere, _) = scene.order(offer, 1);
    let contact = b"call me".to_vec();
    nowhere.contact_hash = Contact::hash(&contact);
    scene.create_with(&nowhere, contact).await;
    let (mut long, contact) = scene.order(offer, 2);
    long.span = 3_601;
    scene.create_with(&long, contact).await;
    scene.rest(&mut provider).await;
    for order in [&nowhere, &long] {
        assert_eq!(scene.state(order).await, State::Cancelled);
    }
    assert_eq!(scene.machine.started(), 0);
    // Two orders for one unit: one is served, the other need not wait.
    let (first, second) = (scene.create(offer, 3).await, scene.create(offer, 4).await);
    scene.rest(&mut provider).await;
    let mut states = [scene.state(&first).await, scene.state(&second).await];
    states.sort();
    assert_eq!(states, [State::Active, State::Cancelled]);
    assert_eq!(scene.machine.started(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_will_not_accept_is_turned_away() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let order = scene.create(offer, 1).await;
    let pause = scene.market.calls().pause();
    scene.owner.send(&IntentKey("pause".to_owned()), &pause).await.unwrap();
    scene.rest(&mut provider).await;
    assert_eq!(scene.state(&order).await, State::Cancelled);
}

/// A machine on which nothing starts.
struct Broken;

#[async_trait]
impl Machine for Broken {
    async fn start(&self, label: &Label, _: &Boot) -> Result<MachineRef, MachineError> {
        let source = io::Error::other("no more processes");
        Err(MachineError::Start { label: label.clone(), source })
    }

    async fn find(&self, _: &Label, _: MachineRef) -> Result<bool, MachineError> {
        Ok(false)
    }

    async fn kill(&self, _: &Label, _: MachineRef) -> Result<(), MachineError> {
        Ok(())
    }

    async fn forget(&self, _: &Label) -> Result<(), MachineError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lease_whose_agent_cannot_start_is_refunded() {
    let scene = Scene::new().await;
    let (provider, offer) = scene.provider(&[]).await;
    drop(provider);
    let mut parts = scene.parts();
    parts.machine = Arc::new(Broken);
    let mut provider = Provider::open(parts).await.unwrap();
    let order = scene.create(offer, 1).await;
    for _ in 0..4 {
        scene.rest(&mut provider).await;
    }
    assert_eq!(scene.state(&order).await, State::Refunded);
    assert_eq!(scene.market.account(provider.address()).await.unwrap().reserved, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_with_the_fault_dies_with_its_agents_after_three_states() {
    let scene = Scene::new().await;
    let (provider, offer) = scene.provider(&[]).await;
    drop(provider);
    let mut parts = scene.parts();
    parts.fault = Some(Fault::Die { leaves: 3 });
    let mut provider = Provider::open(parts).await.unwrap();
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    let (label, boot) = scene.agent();
    scene.agent_commits(&label, &boot, ROOT, 2);
    assert!(!scene.rest(&mut provider).await.dies);
    scene.agent_commits(&label, &boot, ROOT, 3);
    assert!(scene.rest(&mut provider).await.dies);
    assert!(scene.machine.alive().is_empty());
    assert_eq!(scene.state(&order).await, State::Active, "nobody is left to say anything on chain");
}

#[tokio::test(flavor = "multi_thread")]
async fn fabricating_agent_is_told_so() {
    let scene = Scene::new().await;
    let (provider, offer) = scene.provider(&[]).await;
    drop(provider);
    let mut parts = scene.parts();
    parts.fault = Some(Fault::Fabricate { segments: [7].into() });
    let mut provider = Provider::open(parts).await.unwrap();
    scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    assert_eq!(scene.agent().1.fault, Some(wire::agent::Fault::Fabricate { segments: [7].into() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_state_is_kept_for_the_owner_when_its_lease_is_forgotten() {
    let scene = Scene::new().await;
    let (provider, offer) = scene.provider(&[]).await;
    drop(provider);
    let mut parts = scene.parts();
    parts.fault = Some(Fault::Canary);
    let mut provider = Provider::open(parts).await.unwrap();
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    let (label, boot) = scene.agent();
    let Some(wire::agent::Fault::Canary { salt }) = boot.fault.clone() else {
        panic!("nothing is to be planted")
    };
    let left = wire::agent::CanaryDoc { salt: salt.clone(), index: 3, position: 3 };
    scene.agent_commits(&label, &boot, ROOT, 5);
    let folder = scene.folder().machines().join(label.as_str());
    std::fs::write(folder.join(wire::agent::CANARY_FILE), serde_json::to_vec(&left).unwrap()).unwrap();
    scene.machine.die(&label);
    scene.rest(&mut provider).await;
    assert_eq!(scene.state(&order).await, State::Committed);
    scene.by_consumer("settle", &scene.market.calls().settle(&order)).await;
    scene.rest(&mut provider).await;
    drop(provider);
    let status = node::provider::status(scene.folder().path()).await.unwrap();
    let lease = scene.id(&order).to_string();
    let planted = node::provider::Planted { lease, salt, index: 3, position: 3 };
    assert_eq!((status.leases.len(), status.canaries), (0, vec![planted]));
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_outlive_the_daemon_and_are_found_again() {
    let scene = Scene::new().await;
    let (mut provider, offer) = scene.provider(&[]).await;
    let order = scene.create(offer, 1).await;
    scene.rest(&mut provider).await;
    let (label, boot) = scene.agent();
    drop(provider);
    let mut provider = scene.open().await;
    scene.rest(&mut provider).await;
    let machine: &MemoryMachine = &scene.machine;
    assert_eq!((machine.started(), scene.agent().0), (1, label.clone()));
    // The agent's key is the one that was delegated to before.
    scene.agent_commits(&label, &boot, ROOT, 1);
    scene.machine.die(&label);
    scene.rest(&mut provider).await;
    assert_eq!(scene.state(&order).await, State::Committed);
}
