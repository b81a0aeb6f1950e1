//! A consumer that keeps states back, and a provider that has its word that it had them.

use std::sync::Arc;

use agent::Delegate;
use chain::B256;
use chain::market::{Contact, OfferId, Order, State};
use chain::notary::Phase;
use custody::OsEntropy;
use domain::{Label, Verdict};
use evidence::Leaf;
use market::{Machine, MemoryMachine};
use node::provider::{self, Folder, Given, Parts, Provider};
use wire::agent::{BootDoc, bytes_of, hex_of};

use crate::common::DOLLAR;
use crate::plane::{FIRST, JOB, Manner, Work};
use crate::scales::{EXCUSE_S, REVEAL_S, Scales, WINDOW_S};

/// A provider that sells on the market of the scales.
struct Seller {
    provider: Provider,
    machine: Arc<MemoryMachine>,
    folder: Folder,
}

impl Seller {
    async fn new(scales: &Scales) -> Self {
        let folder = Folder::at(&scales.dir.path().join("provider"));
        let market = scales.market.address().to_string();
        let given: Given =
            [("rpc_url", scales.url.as_str()), ("market", &market), ("poll", "1s"), ("span_max", "1h")]
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
        let address = provider::init(folder.path(), &given, &OsEntropy).unwrap();
        scales.fund(address).await;
        let machine: Arc<MemoryMachine> = Arc::default();
        let parts = Parts {
            folder: folder.clone(),
            machine: Arc::clone(&machine) as Arc<dyn Machine>,
            entropy: Arc::new(OsEntropy),
            proc: "/proc".into(),
            fault: None,
        };
        let provider = Provider::open(parts).await.unwrap();
        let mut seller = Self { provider, machine, folder };
        seller.rest(scales).await;
        seller
    }

    async fn rest(&mut self, scales: &Scales) {
        for _ in 0..50 {
            if self.provider.tick(scales.now()).await.unwrap().next_due > scales.now() {
                return;
            }
        }
        panic!("the provider does not come to rest")
    }

    async fn sold(&mut self, scales: &Scales) -> (Order, Label, BootDoc) {
        let order = Order {
            consumer: scales.consumer.address(),
            offer: OfferId::new(self.provider.address(), [0; 12]),
            job_hash: B256::from(*JOB),
            contact_hash: Contact::hash(&scales.contact()),
            max_price_per_hour: DOLLAR,
            units: 1,
            span: 1_800,
            accept_by: u64::try_from(scales.now().0 / 1000).unwrap() + 600,
            salt: 1,
        };
        scales.by_consumer("create", &scales.market.calls().create_lease(&order, scales.contact())).await;
        self.rest(scales).await;
        let (label, boot) = self.machine.alive().remove(0);
        (order, label, serde_json::from_slice(boot.expose()).unwrap())
    }

    /// The agent does its work and ends; the consumer says that it has all states, if it does.
    async fn worked(&mut self, scales: &Scales, label: &Label, boot: &BootDoc, lease: B256, has_word: bool) {
        let folder = self.folder.machines().join(label.as_str());
        std::fs::create_dir_all(&folder).unwrap();
        let delegate = Delegate::of(boot, &folder, &OsEntropy).unwrap();
        let work = scales.plane.work();
        let states =
            (u64::from(FIRST)..).zip(&work.digests).map(|(number, digest)| Leaf::state(number, *digest));
        let outputs = Leaf::outputs(u64::from(FIRST) + work.digests.len() as u64, work.outputs);
        for leaf in states.chain([outputs]) {
            let commitment = delegate.commit(&JOB, leaf).unwrap().unwrap();
            let root = B256::from(bytes_of::<32>(&commitment.root).unwrap());
            let digest = scales.notary.digests().upload(lease, root, commitment.leaf_count);
            let word = hex_of(&scales.consumer_key.sign_digest(&digest.0).unwrap());
            assert!(
                delegate
                    .leave(&commitment, Some(&word).filter(|_| has_word).map(String::as_str), !has_word)
                    .unwrap()
            );
        }
        scales.clock.advance(600);
        self.machine.die(label);
        self.rest(scales).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_with_the_consumers_word_for_its_states_is_paid_although_they_are_kept_back() {
    for has_word in [true, false] {
        let scales = Scales::new(Work::new(&[])).await;
        let mut seated = scales.seated(&[None, None]).await;
        let mut seller = Seller::new(&scales).await;
        let (order, label, boot) = seller.sold(&scales).await;
        let lease = scales.market.digests().lease(&order);
        seller.worked(&scales, &label, &boot, lease, has_word).await;
        let stake = scales.market.account(seller.provider.address()).await.unwrap().stake;
        // It serves what was never committed to.
        scales.plane.behave(Manner::OtherInputs);
        let (_, id) = scales.opened_on_market(&order, 2).await;
        scales.until_asked(&mut seated).await;
        scales.clock.advance(WINDOW_S - 50);
        scales.until(&mut seated, id, Phase::Excusing).await;
        seller.rest(&scales).await;
        assert_eq!(scales.proof(id).await.excused, has_word);
        scales.clock.advance(EXCUSE_S + REVEAL_S + 6);
        let proof = scales.until(&mut seated, id, Phase::Concluded).await;
        assert_eq!(proof.verdict, Some(Verdict::Unknown));
        let end = scales.market.lease(lease).await.unwrap().unwrap().state;
        let account = scales.market.account(seller.provider.address()).await.unwrap();
        if has_word {
            assert_eq!((end, account.stake), (State::Settled, stake));
            assert!(account.balance > 0, "it is paid");
        } else {
            assert_eq!((end, account.balance), (State::Slashed, 0));
            assert!(account.stake < stake, "what nobody can open costs a part of the stake");
        }
    }
}
