// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev The provider's address in the upper 160 bits, a number of its own choice in the lower 96: nobody can take
/// another's id, and the provider is known without reading storage.
type OfferId is bytes32;

/// @notice What somebody owns in the market. One storage slot, because most transitions change several of its fields.
/// @dev All amounts are micro-units of the token. The market never holds more than 2^64 - 1 of them, so no sum overflows.
struct Account {
    /// May be withdrawn, staked or spent on leases.
    uint64 balance;
    /// Bonded as a provider; what is being unbonded is no longer in it.
    uint64 stake;
    /// The part of `stake` that backs open leases.
    uint64 reserved;
    /// Units in all offers that were not withdrawn.
    uint64 offered;
}

/// @notice Stake on its way out.
struct Unbonding {
    uint64 amount;
    /// Not before this moment.
    uint40 releaseAt;
}

/// @notice What a provider promises. It never changes: another price is another offer.
struct OfferTerms {
    /// Micro-units of the token for one unit and one hour.
    uint64 pricePerHour;
    uint32 units;
    /// Leases may begin from here on, in seconds since the epoch,
    uint40 availableFrom;
    /// and must be over by then.
    uint40 availableUntil;
}

/// @notice An offer as it is stored, in one slot. The hash of its description has another, which no lease reads.
struct Offer {
    uint64 pricePerHour;
    uint32 units;
    /// Units in accepted leases that are not final. Never more than `units`.
    uint32 leased;
    uint40 availableFrom;
    /// 0: there is no such offer.
    uint40 availableUntil;
    bool withdrawn;
}

/// @notice What a consumer asks for. Its EIP-712 hash is the lease's id, so every later call names the lease by the whole
/// order, and none of it has to be stored.
struct Order {
    address consumer;
    OfferId offer;
    /// Keccak-256 of the job's specification.
    bytes32 jobHash;
    /// Keccak-256 of where the agent reports to; the bytes themselves go into `LeaseCreated`.
    bytes32 contactHash;
    /// The most that the consumer pays for one unit and one hour.
    uint64 maxPricePerHour;
    uint32 units;
    /// Seconds bought.
    uint32 span;
    /// The last moment at which the order may be created and accepted.
    uint40 acceptBy;
    /// Tells equal orders of one consumer apart.
    uint64 salt;
}

/// @dev See contracts/README.md for the table of transitions. Everything from `Cancelled` on is final.
enum State {
    /// Never seen.
    None,
    /// Paid into escrow, waits for the provider.
    Open,
    /// Accepted; billing runs.
    Active,
    /// Ended before its time; the provider may still commit.
    Ended,
    /// The provider has committed to the work; a verdict may follow.
    Committed,
    /// The verifier has found a mismatch and owes a verdict.
    Disputed,
    /// Never accepted: the consumer has everything back.
    Cancelled,
    /// The provider is paid for the seconds used.
    Settled,
    /// The consumer has everything back, nobody is punished.
    Refunded,
    /// The consumer has everything back, and the provider lost stake.
    Slashed
}

/// @notice Whose word ended something; the reason that a final state carries in its event.
enum Cause {
    Consumer,
    Provider,
    Verifier,
    /// A deadline passed. Anybody may say so.
    Time
}

/// @notice What moves while a lease lives, in one slot. The root has another.
struct Lease {
    State state;
    /// Micro-units for all units and one hour.
    uint64 rate;
    /// Seconds bought, extensions included.
    uint32 span;
    /// Seconds to pay for; fixed when the lease ends or is committed.
    uint32 used;
    /// 0 while open.
    uint40 startedAt;
    /// The last moment for the parties to act; after it anybody may call `expire`.
    uint40 deadline;
    /// Leaves below the root.
    uint32 leafCount;
}

/// @notice How a slash is divided. What goes to neither goes to the insurance account.
struct Penalty {
    /// Taken from the stake, at most the lease's reserve.
    uint64 amount;
    /// Consumer and challenger together get at most half of `amount`: whoever plays all three parts loses the rest.
    uint64 toConsumer;
    uint64 toChallenger;
    address challenger;
}

/// @notice What a market is deployed with. None of it changes later, save the verifier.
struct Config {
    address token;
    /// May dispute, refund, slash and settle leases with a commitment; zero for none.
    address verifier;
    /// Owns what slashes take from stakes beyond the parties' shares.
    address insurance;
    /// Stake that each offered unit needs.
    uint64 stakePerUnit;
    /// Stake reserved for a lease, in ten-thousandths of its price.
    uint32 reserveBps;
    /// Seconds between the request for stake and its release.
    uint32 unbondingPeriod;
    /// Seconds to commit after a lease is over.
    uint32 commitWindow;
    /// Seconds for a verdict or a dispute after the commitment.
    uint32 verdictWindow;
    /// Seconds for the verdict after a dispute.
    uint32 disputeWindow;
}
