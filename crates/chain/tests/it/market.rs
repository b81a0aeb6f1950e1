//! The market's client against the contracts on an embedded chain.

use std::sync::Arc;

use domain::{ExecutionId, LeaseId, Millis, RetryStatus, Timestamp};
use waag_chain::embedded::EmbeddedChain;
use waag_chain::follow::{Cursor, FollowSettings, Follower};
use waag_chain::market::{
    self, Cause, Contact, Deployed, Happened, Market, MarketEvent, MarketTerms, OfferId, OfferTerms, Order,
    ReadError, Refusal, State,
};
use waag_chain::sender::SendError;
use waag_chain::{Address, B256, U256};

use crate::common::{SetClock, deployer, genesis};
use crate::party::Party;

const START_S: i64 = 1_800_000_000;
const DOLLAR: u64 = 1_000_000;

fn terms() -> MarketTerms {
    MarketTerms {
        verifier: Address::ZERO,
        insurance: Address::repeat_byte(0x11),
        stake_per_unit: 5 * DOLLAR,
        reserve_bps: 2_000,
        unbonding_period: 3_600,
        commit_window: 600,
        verdict_window: 300,
        dispute_window: 900,
    }
}

struct Scene {
    chain: EmbeddedChain,
    clock: Arc<SetClock>,
    owner: Party,
    deployed: Deployed,
    market: Market,
    provider: Party,
    consumer: Party,
}

impl Scene {
    async fn new() -> Self {
        let clock = SetClock::at(START_S);
        let chain = EmbeddedChain::in_memory(&genesis(), Arc::<SetClock>::clone(&clock)).unwrap();
        let owner = Party::new(&chain, deployer());
        let deployed = market::deploy(&owner.sender, &terms()).await.unwrap();
        let market = Market::open(chain.provider(), deployed.market).await.unwrap();
        let (provider, consumer) = (Party::stranger(&chain), Party::stranger(&chain));
        let wei = U256::from(10_u64.pow(18));
        for (party, name) in [(&provider, "provider"), (&consumer, "consumer")] {
            let (token, to) = (deployed.token, party.address());
            market::hand_out(&owner.sender, token, to, wei, 100 * DOLLAR, name).await.unwrap();
            party.send("approve", &market.token_calls().approve(deployed.market, u64::MAX)).await;
            party.send("deposit", &market.calls().deposit(50 * DOLLAR)).await;
        }
        provider.send("stake", &market.calls().stake(10 * DOLLAR)).await;
        Self { chain, clock, owner, deployed, market, provider, consumer }
    }

    fn offer(&self) -> (OfferId, OfferTerms) {
        let id = OfferId::new(self.provider.address(), [7; 12]);
        let from = u64::try_from(START_S).unwrap();
        let terms = OfferTerms {
            price_per_hour: DOLLAR,
            units: 1,
            available_from: from,
            available_until: from + 100_000,
        };
        (id, terms)
    }

    async fn post_offer(&self) -> OfferId {
        let (id, terms) = self.offer();
        let call = self.market.calls().post_offer(id, &terms, b"{}".to_vec());
        self.provider.send("offer", &call).await;
        id
    }

    fn order(&self, offer: OfferId, salt: u64) -> (Order, Vec<u8>) {
        let contact = Contact {
            lease: LeaseId::from_bytes([1; 10]),
            execution: ExecutionId::from_bytes([2; 10]),
            pin: [3; 32],
            url: "https://127.0.0.1:7443".to_owned(),
        };
        let contact = contact.to_bytes().unwrap();
        let order = Order {
            consumer: self.consumer.address(),
            offer,
            job_hash: B256::ZERO,
            contact_hash: Contact::hash(&contact),
            max_price_per_hour: DOLLAR,
            units: 1,
            span: 1_800,
            accept_by: u64::try_from(START_S).unwrap() + 600,
            salt,
        };
        (order, contact)
    }

    /// All events so far, by a follower as a party has one.
    async fn events(&self) -> Vec<Happened> {
        let settings = FollowSettings {
            addresses: vec![self.deployed.market],
            signatures: vec![],
            from_block: self.deployed.block,
            blocks_max: 1_000,
            events_max: 1_000,
            confirmations: 0,
            reorg_depth: 3,
        };
        let page = Follower::new(self.chain.provider(), settings).page(None::<&Cursor>).await.unwrap();
        self.market.events(&page.events).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_are_those_of_the_contract() {
    alloy::sol! {
        struct Signed {
            address consumer;
            bytes32 offer;
            bytes32 jobHash;
            bytes32 contactHash;
            uint64 maxPricePerHour;
            uint32 units;
            uint32 span;
            uint40 acceptBy;
            uint64 salt;
        }
        function leaseId(Signed order) external view returns (bytes32);
        function delegationDigest(bytes32 id, address agent) external view returns (bytes32);
        function commitmentDigest(bytes32 id, bytes32 root, uint32 leafCount) external view returns (bytes32);
    }
    use alloy::providers::Provider;
    use alloy::rpc::types::TransactionRequest;
    use alloy::sol_types::SolCall;
    let scene = Scene::new().await;
    let ask = async |input: Vec<u8>| {
        let request = TransactionRequest::default().to(scene.deployed.market).input(input.into());
        B256::from_slice(&scene.chain.provider().call(request).await.unwrap())
    };
    let (order, _) = scene.order(scene.offer().0, 77);
    let digests = scene.market.digests();
    let id = digests.lease(&order);
    // The order's own encoding is what the contract takes.
    let asked = [&leaseIdCall::SELECTOR[..], &order.to_bytes()].concat();
    assert_eq!(asked.len(), 4 + 9 * 32);
    assert_eq!(ask(asked).await, id);
    let agent = scene.consumer.address();
    assert_eq!(ask(delegationDigestCall { id, agent }.abi_encode()).await, digests.delegation(id, agent));
    let root = B256::repeat_byte(5);
    let asked = commitmentDigestCall { id, root, leafCount: 9 }.abi_encode();
    assert_eq!(ask(asked).await, digests.commitment(id, root, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_lease_is_created_accepted_committed_and_settled() {
    let scene = Scene::new().await;
    let (market, calls) = (&scene.market, scene.market.calls());
    let offer = scene.post_offer().await;
    let (order, contact) = scene.order(offer, 1);
    let id = market.digests().lease(&order);
    assert_eq!(market.lease(id).await.unwrap(), None);
    scene.consumer.send("create", &calls.create_lease(&order, contact.clone())).await;
    let lease = market.lease(id).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.span, lease.started_at), (State::Open, 1_800, None));
    let accepted = scene.provider.send("accept", &calls.accept(&order)).await;
    let lease = market.lease(id).await.unwrap().unwrap();
    let started_at = lease.started_at.unwrap();
    assert_eq!((lease.state, lease.rate), (State::Active, DOLLAR));
    assert_eq!(lease.deadline, started_at + Millis::from_secs(1_800 + 600));
    assert_eq!(market.offer(offer).await.unwrap().unwrap().leased, 1);
    assert_eq!(market.reserve_of(id).await.unwrap(), DOLLAR / 10);

    scene.clock.advance(600);
    assert_eq!(market.next_time().await.unwrap(), Timestamp((START_S + 600) * 1000));
    assert!(
        market.head().await.unwrap().at < Timestamp((START_S + 600) * 1000),
        "nothing has happened since"
    );
    let root = B256::repeat_byte(5);
    scene.provider.send("commit", &calls.commit(&order, root, 4)).await;
    let lease = market.lease(id).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.leaf_count), (State::Committed, 4));
    assert_eq!(market.root_of(id).await.unwrap(), root);
    let price = market::charge(lease.rate, lease.used).unwrap();
    assert_eq!(market.escrow_of(id).await.unwrap(), price);
    scene.consumer.send("settle", &calls.settle(&order)).await;
    let account = market.account(scene.provider.address()).await.unwrap();
    assert_eq!((account.balance, account.stake, account.reserved), (40 * DOLLAR + price, 10 * DOLLAR, 0));

    let events = scene.events().await;
    let of_lease: Vec<_> = events.iter().filter(|happened| happened.event.lease() == Some(id)).collect();
    let [created, taken, committed, settled] = &of_lease[..] else { panic!("{of_lease:?}") };
    let escrow = DOLLAR / 2;
    let said = MarketEvent::LeaseCreated { lease: id, order, escrow, contact: contact.into() };
    assert_eq!(created.event, said);
    assert_eq!(taken.event, MarketEvent::LeaseAccepted { lease: id, reserved: DOLLAR / 10 });
    assert_eq!((taken.tx, taken.block, taken.at), (accepted.hash, accepted.block, started_at));
    let (signer, used) = (scene.provider.address(), lease.used);
    let refunded = escrow - price;
    let said = MarketEvent::LeaseCommitted { lease: id, root, leaf_count: 4, signer, used, refunded };
    assert_eq!(committed.event, said);
    let said = MarketEvent::LeaseSettled { lease: id, paid: price, cause: Cause::Consumer };
    assert_eq!(settled.event, said);
    let (_, terms) = scene.offer();
    let posted = MarketEvent::OfferPosted { offer, terms, spec: b"{}".to_vec().into() };
    assert!(events.iter().any(|happened| happened.event == posted));
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_signed_root_is_taken_from_anybody_once_the_lease_is_over() {
    let scene = Scene::new().await;
    let (market, calls) = (&scene.market, scene.market.calls());
    let offer = scene.post_offer().await;
    let (order, contact) = scene.order(offer, 1);
    let id = market.digests().lease(&order);
    scene.consumer.send("create", &calls.create_lease(&order, contact)).await;
    scene.provider.send("accept", &calls.accept(&order)).await;
    let agent = Party::stranger(&scene.chain);
    let delegated = market.digests().delegation(id, agent.address());
    let delegation = scene.provider.signer.sign_digest(&delegated.0).unwrap();
    assert_eq!(market::signer_of(delegated, &delegation), Some(scene.provider.address()));
    let root = B256::repeat_byte(6);
    let signature = agent.signer.sign_digest(&market.digests().commitment(id, root, 2).0).unwrap();
    let call = calls.commit_signed(&order, root, 2, delegation.to_vec(), signature.to_vec());
    scene.consumer.send("end", &calls.end(&order)).await;
    scene.consumer.send("commit", &call).await;
    assert_eq!(market.root_of(id).await.unwrap(), root);
    scene.clock.advance(301);
    scene.owner.send("expire", &calls.expire(&order)).await;
    let leases = market.leases(&[id, B256::ZERO]).await.unwrap();
    assert_eq!(leases[0].unwrap().state, State::Settled);
    assert_eq!(leases[1], None);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_has_the_contracts_name_and_values() {
    let scene = Scene::new().await;
    let calls = scene.market.calls();
    let offer = scene.post_offer().await;
    let (order, contact) = scene.order(offer, 1);
    let create = |order: &Order| calls.create_lease(order, contact.clone());
    scene.consumer.send("create", &create(&order)).await;
    let caller = scene.consumer.address();
    assert_eq!(scene.consumer.refused(&calls.accept(&order)).await, Refusal::Unauthorized { caller });
    scene.provider.send("accept", &calls.accept(&order)).await;
    let (second, _) = scene.order(offer, 2);
    let refused = scene.consumer.refused(&create(&second)).await;
    assert_eq!(refused, Refusal::NotEnoughUnits { offer, free: 0, asked: 1 });
    assert!(refused.to_string().starts_with("NotEnoughUnits: offer 0x"), "{refused}");
    let again = scene.provider.refused(&calls.accept(&order)).await;
    assert_eq!(again, Refusal::WrongState { state: Some(State::Active) });
    let never = scene.provider.refused(&calls.accept(&second)).await;
    assert_eq!(never.to_string(), "WrongState: the lease is none");
    let none = OfferId::new(scene.provider.address(), [9; 12]);
    let gone = scene.consumer.refused(&create(&scene.order(none, 3).0)).await;
    assert_eq!(gone, Refusal::OfferNotAvailable { offer: none });
    let deposit = scene.provider.refused(&calls.deposit(1_000 * DOLLAR)).await;
    let (owner, balance) = (scene.provider.address(), 50 * DOLLAR);
    assert_eq!(deposit, Refusal::InsufficientTokens { owner, balance, needed: 1_000 * DOLLAR });
    let mint = scene.provider.refused(&scene.market.token_calls().mint(owner, 1)).await;
    assert_eq!(mint, Refusal::Other("OwnableUnauthorizedAccount"));
    assert_eq!(Refusal::decode(b"nothing of ours"), None);
    assert_eq!(Refusal::of(&SendError::NoFunds), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn deployment_asked_for_again_is_the_same() {
    let scene = Scene::new().await;
    let again = market::deploy(&scene.owner.sender, &terms()).await.unwrap();
    assert_eq!(again, scene.deployed);
    let (token, to) = (scene.deployed.token, scene.provider.address());
    market::hand_out(&scene.owner.sender, token, to, U256::from(1), DOLLAR, "provider").await.unwrap();
    assert_eq!(scene.market.token_balance(to).await.unwrap(), 50 * DOLLAR, "handed out once for a key");
    assert!(!scene.provider.journal.is_empty());
    let settings = scene.market.settings();
    assert_eq!((settings.token, settings.commit_window), (token, 600));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_market_is_refused() {
    let scene = Scene::new().await;
    for address in [scene.deployed.token, Address::repeat_byte(9)] {
        let refused = Market::open(scene.chain.provider(), address).await.err().unwrap();
        assert!(matches!(refused, ReadError::NoMarket { address: a, .. } if a == address), "{refused:?}");
        assert_eq!(refused.status(), RetryStatus::Permanent);
    }
}
