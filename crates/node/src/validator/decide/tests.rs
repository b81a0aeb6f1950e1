use super::*;
use crate::validator::Fault;

const ID: B256 = B256::repeat_byte(1);
const SEED: B256 = B256::repeat_byte(2);
const NOW: Timestamp = Timestamp(1_000_000);
const WINDOW: Millis = Millis(100_000);
const WORD: Word = Word { finding: Finding::Same, result: B256::repeat_byte(3), salt: B256::repeat_byte(4) };
const FOUND: Found = Found { finding: Finding::Differs, result: [5; 32] };
const KEPT_BACK: Found = Found { finding: Finding::Withheld, result: [6; 32] };
const PLACE: Place = Place { number: 1, committed: false, revealed: false };

fn wish() -> Wish {
    Wish { units: 1, stake: 10, conclude_after: Millis(5_000), withdraw_above: None, fault: None }
}

fn view() -> View {
    View {
        now: NOW,
        block: 100,
        purse: Purse { stake: 10, ..Purse::default() },
        seat: Seat::Taken,
        proofs: Vec::new(),
        leaving: false,
        window: WINDOW,
    }
}

fn proof(phase: Phase, place: Option<Place>, left: i64) -> ProofView {
    let deadline = Timestamp(NOW.0 + left);
    let on_chain = OnChain { phase, deadline, seed: Some(SEED), place };
    ProofView { id: ID, on_chain: Some(on_chain), word: None, replay: Replay::None }
}

fn acts(proof: ProofView, wish: Wish) -> Vec<Act> {
    decide(&View { proofs: vec![proof], ..view() }, &wish).acts
}

fn act(proof: ProofView) -> Option<Act> {
    let mut acts = acts(proof, wish());
    assert!(acts.len() <= 1, "{acts:?}");
    acts.pop()
}

#[test]
fn only_what_concerns_us_is_remembered() {
    let forget = Some(Act::Forget { proof: ID });
    assert_eq!(act(ProofView { on_chain: None, ..proof(Phase::Opened, None, 1) }), forget);
    assert_eq!(act(proof(Phase::Over, Some(PLACE), 0)), forget);
    assert_eq!(act(proof(Phase::Committing, None, 90_000)), forget);
    assert_eq!(act(proof(Phase::Opened, None, 0)), None, "it may still be drawn");
    assert_eq!(act(proof(Phase::Opened, None, -1)), forget);
}

#[test]
fn finding_is_written_before_it_is_committed_to() {
    let fresh = proof(Phase::Committing, Some(PLACE), 90_000);
    assert_eq!(act(fresh), Some(Act::Replay { proof: ID, seed: SEED }));
    let running = |kept_back| ProofView { replay: Replay::Running { kept_back }, ..fresh };
    assert_eq!(act(running(None)), None);
    assert_eq!(act(running(Some(KEPT_BACK))), None, "they may still come");
    assert_eq!(
        act(ProofView { replay: Replay::Done(FOUND), ..fresh }),
        Some(Act::Keep { proof: ID, found: FOUND })
    );
    // What is kept stands, whatever a later replay says.
    let kept = ProofView { word: Some(WORD), replay: Replay::Done(FOUND), ..fresh };
    assert_eq!(act(kept), Some(Act::Commit { proof: ID, word: WORD }));
    let committed = Place { committed: true, ..PLACE };
    assert_eq!(
        act(ProofView { word: Some(WORD), ..proof(Phase::Committing, Some(committed), 90_000) }),
        None
    );
}

#[test]
fn states_that_do_not_come_are_said_to_be_kept_back_before_the_time_is_over() {
    let at = |left, kept_back| {
        act(ProofView {
            replay: Replay::Running { kept_back },
            ..proof(Phase::Committing, Some(PLACE), left)
        })
    };
    // A fifth of the window.
    assert_eq!(at(20_001, Some(KEPT_BACK)), None);
    assert_eq!(at(20_000, Some(KEPT_BACK)), Some(Act::Keep { proof: ID, found: KEPT_BACK }));
    assert_eq!(at(20_000, None), None, "a machine that fails knows nothing");
    assert_eq!(margin(Millis::HOUR), MARGIN_MAX);
}

#[test]
fn what_was_committed_to_is_revealed_once() {
    let committed = Place { committed: true, ..PLACE };
    let at = |place, word| act(ProofView { word, ..proof(Phase::Revealing, Some(place), 10) });
    assert_eq!(at(committed, Some(WORD)), Some(Act::Reveal { proof: ID, word: WORD }));
    assert_eq!(at(committed, None), None, "the salt is lost");
    assert_eq!(at(PLACE, Some(WORD)), None, "it came too late");
    assert_eq!(at(Place { revealed: true, ..committed }, Some(WORD)), None);
}

#[test]
fn consumer_concludes_first_then_the_drawn_one_after_the_other() {
    let conclude = Some(Act::Conclude { proof: ID });
    for phase in [Phase::Closing, Phase::Excusing] {
        let at = |number, late: i64| act(proof(phase, Some(Place { number, ..PLACE }), -late));
        assert_eq!(at(0, 5_000), None);
        assert_eq!(at(0, 5_001), conclude);
        assert_eq!(at(1, 5_001), None);
        assert_eq!(at(1, 10_001), conclude);
        assert_eq!(at(0, -1), None);
    }
}

#[test]
fn faulty_ones_run_nothing() {
    let fresh = proof(Phase::Committing, Some(PLACE), 90_000);
    let by = |fault| acts(fresh, Wish { fault: Some(fault), ..wish() });
    assert!(by(Fault::Silent).is_empty());
    let finding = |fault| match by(fault)[..] {
        [Act::Keep { found, .. }] => found.finding,
        _ => panic!("it replays"),
    };
    assert_eq!(finding(Fault::RubberStamp), Finding::Same);
    assert_eq!(finding(Fault::Contrary), Finding::Differs);
}

#[test]
fn seat_is_taken_with_a_stake_and_given_back_when_no_draw_can_fall_on_it() {
    let seat = |change: &dyn Fn(&mut View)| {
        let mut view = view();
        change(&mut view);
        decide(&view, &wish())
    };
    assert_eq!(seat(&|_| {}).acts, []);
    let poor = seat(&|view| (view.seat, view.purse) = (Seat::None, Purse::default()));
    assert_eq!((poor.acts.len(), poor.missing), (0, 10));
    assert_eq!(seat(&|view| view.seat = Seat::None).acts, [Act::Join { units: 1 }]);
    // It was made to leave, and comes back with another stake.
    assert_eq!(seat(&|view| view.seat = Seat::Left { free_from: 101 }).acts, []);
    assert_eq!(seat(&|view| view.seat = Seat::Left { free_from: 100 }).acts, [Act::Depart]);

    let leaving = |change: &dyn Fn(&mut View)| {
        seat(&|view| {
            view.leaving = true;
            change(view);
        })
    };
    assert_eq!(leaving(&|_| {}).acts, [Act::Leave]);
    let gone = Seat::Left { free_from: 500 };
    assert!(leaving(&|view| view.seat = gone).left, "nothing keeps the daemon");
    let drawn = leaving(&|view| {
        (view.seat, view.proofs) = (gone, vec![proof(Phase::Opened, None, 1)]);
    });
    assert!(!drawn.left && drawn.acts.is_empty(), "it may still be drawn for this one");
    assert_eq!(leaving(&|view| view.seat = Seat::None).acts, [Act::Unbond { amount: 10 }]);
    let paid_out = |balance| {
        leaving(&|view| (view.seat, view.purse) = (Seat::None, Purse { balance, ..Purse::default() }))
    };
    assert_eq!(paid_out(9).acts, [Act::Withdraw { amount: 9 }]);
    // Perhaps there is something to claim; if not, it is over.
    assert_eq!((paid_out(0).acts, paid_out(0).left), (vec![Act::Claim], true));
    assert!(!paid_out(9).left);
}

#[test]
fn earnings_leave_above_what_the_owner_says() {
    let rich = View { purse: Purse { stake: 10, balance: 7, ..Purse::default() }, ..view() };
    let above = |above| decide(&rich, &Wish { withdraw_above: Some(above), ..wish() }).acts;
    assert_eq!(above(7), []);
    assert_eq!(above(6), [Act::Withdraw { amount: 7 }]);
}
