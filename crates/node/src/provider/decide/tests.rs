//! Every state of a lease, and what an owner may change, as tables.

use super::*;
use domain::Hardware;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const ME: Address = Address::repeat_byte(2);

fn unit() -> Hardware {
    Hardware { cpus_milli: 2_000, memory_mib: 1_000, disk_mib: 10_000, accelerators: None }
}

fn wish() -> Wish {
    Wish {
        price_per_hour: 500,
        units: 1,
        stake: 100,
        available: Millis(100 * 1000),
        span_max: Millis::HOUR,
        spec: Spec {
            name: "mill".parse().unwrap(),
            region: "EU".parse().unwrap(),
            hardware: hardware::offered(&unit()),
            startup: Millis(1),
        },
        unit: unit(),
        withdraw_to: ME,
        withdraw_above: None,
    }
}

fn offer(number: u8) -> (OfferId, SeenOffer) {
    let from = u64::try_from(NOW.0 / 1000).unwrap();
    let terms =
        OfferTerms { price_per_hour: 500, units: 1, available_from: from, available_until: from + 100 };
    let seen = SeenOffer { block: 1, terms, spec: Some(wish().spec), withdrawn: false };
    let mut salt = [0; 12];
    salt[11] = number;
    (OfferId::new(ME, salt), seen)
}

fn view() -> View {
    View {
        now: NOW,
        me: ME,
        account: Account { balance: 0, stake: 100, reserved: 0, offered: 1 },
        tokens: 0,
        allowance: 0,
        offers: vec![offer(0)],
        leases: Vec::new(),
        draining: false,
        withdrawal: None,
    }
}

fn id(byte: u8) -> B256 {
    B256::repeat_byte(byte)
}

fn lease(state: Option<State>, agent: Agent) -> LeaseView {
    let on_chain = state.map(|state| Lease {
        state,
        rate: 500,
        span: 600,
        used: 0,
        started_at: (state != State::Open).then_some(NOW),
        deadline: NOW + Millis::from_secs(1_200),
        leaf_count: 0,
    });
    let order = Order {
        consumer: Address::repeat_byte(1),
        offer: offer(0).0,
        job_hash: B256::ZERO,
        contact_hash: B256::ZERO,
        max_price_per_hour: 500,
        units: 1,
        span: 600,
        accept_by: 0,
        salt: 1,
    };
    LeaseView {
        id: id(1),
        order,
        has_contact: true,
        label_taken: false,
        on_chain,
        agent,
        start_failures: 0,
        refused: false,
        signed: None,
        excuse: None,
    }
}

fn acts(view: &View) -> Vec<Act> {
    decide(view, &wish()).acts
}

fn act_for(lease: LeaseView) -> Option<Act> {
    let mut found = acts(&View { leases: vec![lease], ..view() });
    assert!(found.len() <= 1, "{found:?}");
    found.pop()
}

const SIGNED: Signed = Signed { root: B256::repeat_byte(7), leaf_count: 3 };

#[test]
fn each_state_of_a_lease_has_its_act() {
    let (lease_id, signed) = (id(1), SIGNED);
    let with_root = |lease: LeaseView| LeaseView { signed: Some(SIGNED), ..lease };
    let commit = Some(Act::Commit { lease: lease_id, signed });
    let (kill, forget) = (Some(Act::Kill { lease: lease_id }), Some(Act::Forget { lease: lease_id }));
    let refund = Some(Act::Refund { lease: lease_id });
    use Agent::{Alive, Gone, None as No, Unsure};
    let start = Some(Act::Start { lease: lease_id });
    for (state, agent, bare, signed) in [
        (Some(State::Open), No, Some(Act::Accept { lease: lease_id }), Some(Act::Accept { lease: lease_id })),
        (Some(State::Active), No, start.clone(), start.clone()),
        (Some(State::Active), Unsure, start.clone(), start.clone()),
        (Some(State::Ended), Unsure, start.clone(), start.clone()),
        (Some(State::Settled), Unsure, start.clone(), start.clone()),
        (None, Unsure, start.clone(), start),
        (Some(State::Active), Alive, None, None),
        (Some(State::Active), Gone, refund.clone(), commit.clone()),
        (Some(State::Ended), Alive, kill.clone(), kill.clone()),
        (Some(State::Ended), Gone, refund.clone(), commit.clone()),
        (Some(State::Ended), No, refund.clone(), commit),
        (Some(State::Committed), Gone, None, None),
        (Some(State::Committed), Alive, kill.clone(), kill.clone()),
        (Some(State::Disputed), Gone, None, None),
        (Some(State::Cancelled), No, forget.clone(), forget.clone()),
        (Some(State::Settled), Gone, forget.clone(), forget.clone()),
        (Some(State::Refunded), Alive, kill.clone(), kill.clone()),
        (Some(State::Slashed), Gone, forget.clone(), forget.clone()),
        (None, Alive, kill.clone(), kill),
        (None, No, forget.clone(), forget),
    ] {
        assert_eq!(act_for(lease(state, agent)), bare, "{state:?} {agent:?}");
        assert_eq!(act_for(with_root(lease(state, agent))), signed, "{state:?} {agent:?} with a root");
    }
}

#[test]
fn deadline_that_passed_is_said_by_us_too() {
    for state in [State::Open, State::Active, State::Ended, State::Committed, State::Disputed] {
        let late = |agent| {
            let mut lease = lease(Some(state), agent);
            lease.signed = Some(SIGNED);
            let mut late = View { now: NOW + Millis::from_secs(1_201), leases: vec![lease], ..view() };
            late.offers[0].1.terms.available_until += 10_000;
            acts(&late)
        };
        assert_eq!(late(Agent::Gone), [Act::Expire { lease: id(1) }], "{state:?}");
        assert_eq!(late(Agent::Alive), [Act::Kill { lease: id(1) }], "{state:?}");
    }
}

#[test]
fn agent_is_ended_with_its_span_and_given_up_after_failures() {
    let mut over = lease(Some(State::Active), Agent::Alive);
    over.on_chain.as_mut().unwrap().started_at = Some(NOW - Millis::from_secs(601));
    assert_eq!(act_for(over.clone()), Some(Act::Kill { lease: id(1) }));
    over.agent = Agent::None;
    assert_eq!(act_for(over), Some(Act::Refund { lease: id(1) }), "nobody starts work that is over");
    let tried =
        |start_failures| act_for(LeaseView { start_failures, ..lease(Some(State::Active), Agent::None) });
    assert_eq!(tried(START_FAILURES_MAX - 1), Some(Act::Start { lease: id(1) }));
    assert_eq!(tried(START_FAILURES_MAX), Some(Act::Refund { lease: id(1) }));
    let nowhere = LeaseView { has_contact: false, ..lease(Some(State::Active), Agent::None) };
    assert_eq!(act_for(nowhere), Some(Act::Refund { lease: id(1) }));
}

#[test]
fn order_that_cannot_be_served_is_cancelled_with_the_reason() {
    let open = || lease(Some(State::Open), Agent::None);
    let order = |change: fn(&mut Order)| {
        let mut lease = open();
        change(&mut lease.order);
        lease
    };
    for (lease, why) in [
        (LeaseView { has_contact: false, ..open() }, Unserved::Contact),
        (LeaseView { label_taken: true, ..open() }, Unserved::Label),
        (LeaseView { refused: true, ..open() }, Unserved::Refused),
        (order(|order| order.units = 2), Unserved::Units),
        (order(|order| order.span = 3_601), Unserved::Span),
        (order(|order| order.span = 0), Unserved::Span),
        (order(|order| order.offer = OfferId::new(ME, [9; 12])), Unserved::Offer),
        (order(|order| order.max_price_per_hour = 499), Unserved::Price),
    ] {
        assert_eq!(act_for(lease), Some(Act::Cancel { lease: id(1), why }));
    }
    let busy = LeaseView { id: id(2), ..open() };
    for running in [lease(Some(State::Active), Agent::Alive), lease(Some(State::Settled), Agent::Alive)] {
        let cancel = Act::Cancel { lease: id(2), why: Unserved::Busy };
        let found = acts(&View { leases: vec![running, busy.clone()], ..view() });
        assert!(found.contains(&cancel), "{found:?}");
    }
    let both = acts(&View { leases: vec![open(), busy], ..view() });
    let expected = [Act::Accept { lease: id(1) }, Act::Cancel { lease: id(2), why: Unserved::Busy }];
    assert_eq!(both, expected, "one unit is sold once, also within one look");
}

#[test]
fn offer_follows_the_owners_wish() {
    assert_eq!(acts(&view()), [], "what stands is left alone");
    let withdraw = [Act::WithdrawOffer { offer: offer(0).0 }];
    let changed = |change: fn(&mut Wish)| {
        let mut wish = wish();
        change(&mut wish);
        decide(&view(), &wish).acts
    };
    assert_eq!(changed(|wish| wish.price_per_hour = 501), withdraw);
    assert_eq!(changed(|wish| wish.units = 2), withdraw);
    assert_eq!(changed(|wish| wish.unit.cpus_milli = 1_000), withdraw);
    assert_eq!(changed(|wish| wish.spec.region = "US".parse().unwrap()), withdraw);
    assert_eq!(changed(|wish| wish.unit.disk_mib = 9_000), [], "a promise that is still true");
    let mut late = view();
    late.now = NOW + Millis(76_000);
    assert_eq!(acts(&late), withdraw, "renewed before its time is over");
    late.now = NOW + Millis(74_000);
    assert_eq!(acts(&late), []);
    let twice = View { offers: vec![offer(0), offer(1)], ..view() };
    assert_eq!(acts(&twice), withdraw, "the newest stays");
    let mut gone = view();
    gone.offers[0].1.withdrawn = true;
    let found = acts(&gone);
    let [Act::PostOffer { offer: posted, terms }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((*posted, terms.available_until), (offer(1).0, offer(0).1.terms.available_until));
}

#[test]
fn stake_comes_first_and_says_what_is_missing() {
    let bare = |account: Account, tokens, allowance| {
        let bare = View { account, tokens, allowance, offers: Vec::new(), ..view() };
        decide(&bare, &wish())
    };
    let account = |balance, stake| Account { balance, stake, reserved: 0, offered: 0 };
    let only = |plan: Plan| plan.acts.into_iter().next();
    assert_eq!(bare(account(0, 0), 99, 0), Plan { missing: 1, ..Plan::default() });
    assert_eq!(only(bare(account(0, 0), 100, 99)), Some(Act::Approve { amount: 100 }));
    assert_eq!(only(bare(account(0, 0), 100, 100)), Some(Act::Deposit { amount: 100 }));
    assert_eq!(only(bare(account(30, 20), 100, 100)), Some(Act::Deposit { amount: 50 }));
    assert_eq!(only(bare(account(80, 20), 0, 0)), Some(Act::Stake { amount: 80 }));
    assert!(matches!(only(bare(account(0, 100), 0, 0)), Some(Act::PostOffer { .. })));
}

#[test]
fn earnings_leave_on_request_and_above_a_threshold() {
    let with = |balance, stake, withdrawal: Option<Withdrawal>, above| {
        let account = Account { balance, stake, reserved: 0, offered: 1 };
        let wish = Wish { withdraw_above: above, ..wish() };
        decide(&View { account, withdrawal, ..view() }, &wish).acts
    };
    let to = Address::repeat_byte(9);
    let asked = || Some("7".to_owned());
    let ask = |amount| Some(Withdrawal { id: "7".to_owned(), to, amount });
    assert_eq!(with(50, 100, None, None), []);
    assert_eq!(with(50, 100, None, Some(50)), []);
    assert_eq!(with(51, 100, None, Some(50)), [Act::Withdraw { amount: 51, to: ME, asked: None }]);
    assert_eq!(with(51, 99, None, Some(50)), [], "it is still to become stake");
    assert_eq!(with(51, 100, ask(None), None), [Act::Withdraw { amount: 51, to, asked: asked() }]);
    assert_eq!(with(51, 100, ask(Some(20)), Some(1)), [Act::Withdraw { amount: 20, to, asked: asked() }]);
    assert_eq!(with(51, 100, ask(Some(90)), None), [Act::Withdraw { amount: 51, to, asked: asked() }]);
    assert_eq!(with(0, 100, ask(None), None), [Act::DropWithdrawal]);
}

#[test]
fn draining_takes_nothing_more_and_ends_with_the_last_lease() {
    let draining = |leases: Vec<LeaseView>| View { draining: true, leases, ..view() };
    let withdraw = Act::WithdrawOffer { offer: offer(0).0 };
    let why = Unserved::Draining;
    let plan = decide(&draining(vec![lease(Some(State::Open), Agent::None)]), &wish());
    assert_eq!(plan.acts, [Act::Cancel { lease: id(1), why }, withdraw]);
    let mut waits = draining(vec![lease(Some(State::Active), Agent::Alive)]);
    waits.offers[0].1.withdrawn = true;
    assert_eq!(decide(&waits, &wish()), Plan::default(), "a running lease runs on");
    waits.leases.clear();
    assert_eq!(decide(&waits, &wish()), Plan { drained: true, ..Plan::default() });
    waits.draining = false;
    assert!(!decide(&waits, &wish()).drained);
}
