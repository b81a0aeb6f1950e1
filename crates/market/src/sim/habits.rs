//! What goes wrong on a simulated network.

use domain::{Label, Millis};

use super::VISIBILITY;
use crate::dice::Dice;

/// How often each thing goes wrong, in cases of 10,000. What strikes a call is drawn from the seed, the label and the
/// number of the call; what strikes a lease is drawn once, from the seed and its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Habits {
    /// A call fails for now and has no effect.
    pub unavailable: u16,
    /// `submit`: nothing is left after all.
    pub no_capacity: u16,
    /// `submit`: somebody else was faster.
    pub lost_race: u16,
    /// `submit`, `extend`, `release`: nothing happened, and the reply is lost.
    pub reply_lost_before: u16,
    /// `submit`, `extend`, `release`: it happened, and the reply is lost.
    pub reply_lost_after: u16,
    /// The lease is not shown until up to [`VISIBILITY`] after the purchase.
    pub late_listing: u16,
    /// The lease's status lies: absent now and then while [`VISIBILITY`] allows it, or queued for up to 20 s when it
    /// is live already, or live for ever although its agent is dead.
    pub false_status: u16,
    /// The agent dies at some moment of `loss_within` after the lease went live. The network notices up to a minute
    /// later and ends the lease, or, with `false_status`, bills it until it is released.
    pub provider_loss: u16,
    /// The network ends the lease at some moment of `loss_within` after it went live.
    pub early_end: u16,
    /// `provider_loss` and `early_end` strike within this.
    pub loss_within: Millis,
    /// A queue assigns a provider outside the EU and the US.
    pub foreign_assignment: u16,
    /// A prepaid offer gives nothing back. The offer says so.
    pub non_refundable: u16,
    /// `release` has to be called two to four times.
    pub slow_release: u16,
    /// A minute more is billed than the lease lasted.
    pub overbilling: u16,
}

impl Habits {
    /// Everything goes wrong in this many cases of 10,000, losses within a minute.
    pub const fn all(chance: u16) -> Self {
        Self {
            unavailable: chance,
            no_capacity: chance,
            lost_race: chance,
            reply_lost_before: chance,
            reply_lost_after: chance,
            late_listing: chance,
            false_status: chance,
            provider_loss: chance,
            early_end: chance,
            loss_within: Millis(60_000),
            foreign_assignment: chance,
            non_refundable: chance,
            slow_release: chance,
            overbilling: chance,
        }
    }
}

/// A released lease is billed this much too long by a network that overbills.
pub(super) const OVERBILLED: Millis = Millis(60_000);
const NOTICED_WITHIN: Millis = Millis(60_000);
const FALSELY_QUEUED_WITHIN: Millis = Millis(20_000);

/// What the habits do to one lease, known from its label.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    /// Shown so long after the purchase.
    pub(super) hidden_for: Millis,
    /// The status says absent in every second look within the visibility.
    pub(super) flickers: bool,
    /// Said to be queued so long after it went live.
    pub(super) falsely_queued_for: Millis,
    /// The agent dies so long after it went live.
    pub(super) loss_after: Option<Millis>,
    /// The network ends the lease so long after that.
    pub(super) noticed_after: Option<Millis>,
    /// The network ends the lease so long after it went live.
    pub(super) end_after: Option<Millis>,
    /// Assigned outside the EU and the US.
    pub(super) foreign: bool,
    /// So many calls of `release` are needed.
    pub(super) release_calls: u32,
    /// More is billed than the lease lasted.
    pub(super) overbilled: bool,
}

impl Fate {
    pub(super) fn of(label: &Label, habits: &Habits, dice: Dice) -> Self {
        let hits = |chance, habit| dice.hits(chance, habit, label.as_str(), 0);
        let within = |longest: Millis, what| Millis(1 + dice.below(longest.0, what, label.as_str(), 1));
        let lies = hits(habits.false_status, "false_status");
        let lie = dice.below(3, "lie", label.as_str(), 0);
        let loss = hits(habits.provider_loss, "provider_loss");
        Self {
            hidden_for: if hits(habits.late_listing, "late_listing") {
                within(VISIBILITY, "late_listing")
            } else {
                Millis::ZERO
            },
            flickers: lies && lie == 0,
            falsely_queued_for: if lies && lie == 1 {
                within(FALSELY_QUEUED_WITHIN, "falsely_queued")
            } else {
                Millis::ZERO
            },
            loss_after: loss.then(|| within(habits.loss_within, "provider_loss")),
            noticed_after: (loss && !lies).then(|| within(NOTICED_WITHIN, "noticed")),
            end_after: hits(habits.early_end, "early_end").then(|| within(habits.loss_within, "early_end")),
            foreign: hits(habits.foreign_assignment, "foreign_assignment"),
            release_calls: if hits(habits.slow_release, "slow_release") {
                2 + u32::try_from(dice.below(3, "release_calls", label.as_str(), 0)).unwrap_or(0)
            } else {
                1
            },
            overbilled: hits(habits.overbilling, "overbilling"),
        }
    }
}
