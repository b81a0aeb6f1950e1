//! A market of one provider, one consumer and twelve validators, and the rules by which a proof moves their money.

use std::sync::OnceLock;

use domain::{Finding, Verdict};
use waag_evidence::deterrence::{Checks, MARGIN, Money, Panel, validator_stake};
use waag_evidence::{Draw, Word, draw_seed, keccak, verdict};

/// Segments of each job; a sample is a mask of 64 bits.
pub(crate) const SEGMENTS: u32 = 64;
/// What each job pays, in micro-dollars; a multiple of the segments, so that shares are whole.
pub(crate) const PRICE: i64 = 64_000_000;
/// What an honest provider spends of it.
pub(crate) const COST: f64 = 0.8;
/// What one segment costs whoever computes it, provider or validator.
pub(crate) const SEGMENT_COST: i64 = 800_000;
/// Validators, of equal stakes.
pub(crate) const VALIDATORS: usize = 12;
/// Drawn for each proof.
pub(crate) const DRAWN: usize = 3;
/// Of all proofs, in hundredths, that a wrong segment was planted in.
pub(crate) const CANARIES: f64 = 0.02;

/// xorshift64* (Vigna, 2016): quick, and the same every time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(word) * u128::from(bound)) >> 64) as u64
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        (self.below(1 << 53) as f64) < p * (1u64 << 53) as f64
    }
}

/// The draw of one proof, in the two streams that the contract makes of a seed.
#[derive(Clone, Copy)]
pub(crate) struct Drawn {
    pub(crate) segments: u64,
    pub(crate) panel: [usize; DRAWN],
}

pub(crate) fn draw(randomness: u64, job: u64, root: u64, sample: u32) -> Drawn {
    let word = |what: &[u8], n: u64| keccak(&[what, &n.to_be_bytes()]);
    let seed = draw_seed(&word(b"randomness", randomness), &word(b"job", job), &word(b"root", root));
    let segments = Draw::new(keccak(&[b"SEG/1", &seed])).segments(SEGMENTS, sample);
    let panel = Draw::new(keccak(&[b"VAL/1", &seed])).validators(&[1_000; VALIDATORS], DRAWN);
    let segments = segments.into_iter().fold(0, |mask, segment| mask | 1u64 << segment);
    Drawn { segments, panel: [panel[0], panel[1], panel[2]] }
}

/// Draws to choose from at random, since making them anew for each of many million jobs would take minutes.
fn draws(sample: u32) -> &'static [Drawn] {
    static MADE: [OnceLock<Vec<Drawn>>; SEGMENTS as usize] = [const { OnceLock::new() }; SEGMENTS as usize];
    MADE[sample as usize].get_or_init(|| (0..20_000).map(|n| draw(n, u64::from(sample), 0, sample)).collect())
}

/// Whose money it is. `Escrow` holds a job's price and the fee while they are disposed of, `Outside` takes costs and gives what a
/// wrong result is worth elsewhere.
#[derive(Clone, Copy)]
pub(crate) enum Party {
    Provider,
    Consumer,
    Insurance,
    Escrow,
    Outside,
    Validator(usize),
}

/// Everybody's balance. Whatever one has, another has paid.
#[derive(Default)]
pub(crate) struct Books([i64; 5 + VALIDATORS]);

impl Books {
    const fn slot(party: Party) -> usize {
        match party {
            Party::Provider => 0,
            Party::Consumer => 1,
            Party::Insurance => 2,
            Party::Escrow => 3,
            Party::Outside => 4,
            Party::Validator(n) => 5 + n,
        }
    }

    pub(crate) fn of(&self, party: Party) -> i64 {
        self.0[Self::slot(party)]
    }

    pub(crate) fn pay(&mut self, from: Party, to: Party, amount: i64) {
        assert!(amount >= 0);
        self.0[Self::slot(from)] -= amount;
        self.0[Self::slot(to)] += amount;
    }
}

/// How a validator goes about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Replays all that was drawn and says what it found.
    Honest,
    /// Says that all is right and replays nothing: out of laziness, or because the provider is its own.
    Stamps,
    /// Replays the first and the last segment, which are always drawn, and says what these give.
    Ends,
    /// Commits to what another has committed to, and means to say what that one will have said.
    Copies,
    /// Says that all is wrong, and agrees with its like on what is right.
    Slanders,
    /// Never says anything.
    Silent,
}

/// What the parties agreed on.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// Probability of an audit.
    pub(crate) audit: f64,
    /// Segments sampled beside the first and the last.
    pub(crate) sample: u32,
    /// Stake behind the job, all of which a failed verdict takes.
    pub(crate) reserve: i64,
    /// For one validator and one segment.
    pub(crate) fee: i64,
    /// Lost by a validator that is silent, or passes a canary.
    pub(crate) stake_per_proof: i64,
}

impl Terms {
    /// With the stakes that the formulas ask for.
    pub(crate) fn deterring(audit: f64, sample: u32, corrupt: f64) -> Self {
        let checks = Checks { audit, sample, panel: panel(corrupt) };
        let money = Money { price: PRICE as f64, cost: COST * MARGIN, slash: 0.0, outside: 0.0 };
        let stake = MARGIN * validator_stake(SEGMENT_COST as f64, SEGMENTS, CANARIES);
        Self {
            audit,
            sample,
            reserve: checks.slash_needed(1.0, &money).ceil() as i64,
            fee: SEGMENT_COST + SEGMENT_COST / 4,
            stake_per_proof: stake.ceil() as i64,
        }
    }
}

pub(crate) fn panel(corrupt: f64) -> Panel {
    Panel { validators: DRAWN as u32, corrupt, miss: 0.0 }
}

/// What is done with one job, and to it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Deed {
    /// Segments that are not what the work gives.
    pub(crate) wrong: u64,
    /// Whether the consumer planted them, and says so in the end.
    pub(crate) planted: bool,
    /// Which of the drawn validators, in the order drawn, get no states.
    pub(crate) kept_from: [bool; DRAWN],
    /// Whether the provider has receipts for its states, by which it is the consumer that keeps them back.
    pub(crate) receipts: bool,
}

/// The market at work.
pub(crate) struct World {
    pub(crate) books: Books,
    pub(crate) terms: Terms,
    pub(crate) ways: [Way; VALIDATORS],
    pub(crate) dice: Dice,
    draws: &'static [Drawn],
}

impl World {
    pub(crate) fn new(terms: Terms, ways: [Way; VALIDATORS], seed: u64) -> Self {
        Self { books: Books::default(), terms, ways, dice: Dice::new(seed), draws: draws(terms.sample) }
    }

    /// A whole job: work, then payment, or a proof first. Says what the proof came to, if there was one.
    pub(crate) fn job(&mut self, deed: &Deed) -> Option<Verdict> {
        let drawn = self.audit();
        self.job_drawn(deed, drawn)
    }

    /// Whether the next job is audited, and by which draw.
    pub(crate) fn audit(&mut self) -> Option<Drawn> {
        self.dice
            .chance(self.terms.audit)
            .then(|| self.draws[self.dice.below(self.draws.len() as u64) as usize])
    }

    /// The same with a draw given.
    pub(crate) fn job_drawn(&mut self, deed: &Deed, drawn: Option<Drawn>) -> Option<Verdict> {
        self.books.pay(Party::Consumer, Party::Escrow, PRICE);
        let computed = i64::from(SEGMENTS - deed.wrong.count_ones());
        self.books.pay(Party::Provider, Party::Outside, computed * SEGMENT_COST);
        let verdict = drawn.map(|drawn| self.proof(deed, &drawn));
        if verdict.is_none() {
            self.books.pay(Party::Escrow, Party::Provider, PRICE);
        }
        assert_eq!(self.books.of(Party::Escrow), 0, "what was paid in was paid out, and no more");
        verdict
    }

    fn proof(&mut self, deed: &Deed, drawn: &Drawn) -> Verdict {
        let replayed = i64::from(drawn.segments.count_ones());
        let each = replayed * self.terms.fee;
        let fee = each * DRAWN as i64;
        self.books.pay(Party::Consumer, Party::Escrow, fee);
        let mut words = [Word { finding: Finding::Silent, result: [0; 32] }; DRAWN];
        let mut paid = 0;
        for (at, validator) in drawn.panel.into_iter().enumerate() {
            let (word, work) = self.ways[validator].word(deed, drawn.segments, deed.kept_from[at]);
            words[at] = word;
            let validator = Party::Validator(validator);
            self.books.pay(validator, Party::Outside, work * SEGMENT_COST);
            if word.finding == Finding::Silent {
                self.books.pay(validator, Party::Insurance, self.terms.stake_per_proof);
            } else {
                self.books.pay(Party::Escrow, validator, each);
                paid += each;
            }
        }
        self.books.pay(Party::Escrow, Party::Consumer, fee - paid);
        let found = if deed.planted { Verdict::Canary } else { verdict(&words) };
        self.settle(deed, drawn, &words, found, paid);
        found
    }

    /// Moves price and stakes by a verdict.
    fn settle(&mut self, deed: &Deed, drawn: &Drawn, words: &[Word; DRAWN], found: Verdict, fee: i64) {
        let books = &mut self.books;
        match found {
            Verdict::Passed => books.pay(Party::Escrow, Party::Provider, PRICE),
            Verdict::Disputed => books.pay(Party::Escrow, Party::Consumer, PRICE),
            Verdict::Unknown if deed.receipts => books.pay(Party::Escrow, Party::Provider, PRICE),
            Verdict::Unknown => {
                books.pay(Party::Escrow, Party::Consumer, PRICE);
                // Whoever could open them shows that they were there.
                if words.iter().all(|word| word.finding != Finding::Same) {
                    books.pay(Party::Provider, Party::Insurance, self.terms.reserve / 10);
                }
            }
            Verdict::Failed => {
                books.pay(Party::Escrow, Party::Consumer, PRICE);
                let amount = self.terms.reserve;
                let to_consumer = fee.min(amount / 4);
                books.pay(Party::Provider, Party::Insurance, amount);
                books.pay(Party::Insurance, Party::Consumer, to_consumer);
                let differing: Vec<usize> =
                    (0..DRAWN).filter(|at| words[*at].finding == Finding::Differs).collect();
                for at in &differing {
                    let share = amount / 4 / differing.len() as i64;
                    books.pay(Party::Insurance, Party::Validator(drawn.panel[*at]), share);
                }
            }
            Verdict::Canary => {
                books.pay(Party::Escrow, Party::Consumer, PRICE);
                for (word, validator) in words.iter().zip(drawn.panel) {
                    if word.finding == Finding::Same && deed.wrong & drawn.segments != 0 {
                        books.pay(Party::Validator(validator), Party::Insurance, self.terms.stake_per_proof);
                    }
                }
            }
        }
    }
}

const FIRST_AND_LAST: u64 = 1 | 1 << (SEGMENTS - 1);

impl Way {
    /// What it says of a sample, and how many segments it has replayed for that.
    fn word(self, deed: &Deed, segments: u64, kept: bool) -> (Word, i64) {
        let word = |finding, result| Word { finding, result: [result; 32] };
        let replay = |looked_at: u64| {
            let finding = if looked_at & deed.wrong == 0 { Finding::Same } else { Finding::Differs };
            (word(finding, 1), i64::from(looked_at.count_ones()))
        };
        match self {
            Self::Honest | Self::Ends if kept => (word(Finding::Withheld, 0), 0),
            Self::Honest => replay(segments),
            Self::Ends => replay(segments & FIRST_AND_LAST),
            Self::Stamps => (word(Finding::Same, 2), 0),
            Self::Slanders => (word(Finding::Differs, 3), 0),
            // What it committed to does not open in its own name, whatever it says; `attacks.rs` has the hashes.
            Self::Copies | Self::Silent => (word(Finding::Silent, 0), 0),
        }
    }
}

/// Honest validators, of which the first `n` go about it otherwise.
pub(crate) fn but(n: usize, way: Way) -> [Way; VALIDATORS] {
    std::array::from_fn(|at| if at < n { way } else { Way::Honest })
}

/// `faked` segments at random places, the first and the last only where no other is left.
pub(crate) fn fake(faked: u32, dice: &mut Dice) -> u64 {
    if faked >= SEGMENTS {
        return u64::MAX;
    }
    let mut mask = 0u64;
    while mask.count_ones() < faked {
        mask |= 2 << dice.below(u64::from(SEGMENTS) - 2);
    }
    mask
}
