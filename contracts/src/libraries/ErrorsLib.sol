// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Phase} from "../NotaryTypes.sol";
import {OfferId, State} from "../Types.sol";

/// @title ErrorsLib
/// @notice Why a call is refused, each with the values that offend.
library ErrorsLib {
    /* GENERAL */

    /// @notice A value that must not be zero is.
    error ZeroValue();

    /// @notice `caller` is not the party whose act this is.
    error Unauthorized(address caller);

    /* ACCOUNTS */

    /// @notice `owner` has `available` and needs `needed`.
    error InsufficientBalance(address owner, uint64 available, uint64 needed);

    /// @notice The token delivered `received` in place of `expected`: it takes a fee, or changes balances.
    error TokenDelivered(uint256 received, uint256 expected);

    /// @notice The market would hold `total`, more than its accounts can count.
    error TooMuchMoney(uint256 total);

    /// @notice `provider` has `stake` and needs `needed` for its offers, its open leases and this call.
    error InsufficientStake(address provider, uint64 stake, uint256 needed);

    /// @notice Stake may be claimed from `releaseAt` on; 0 if none is on its way.
    error NotReleased(uint40 releaseAt);

    /* OFFERS */

    /// @notice The salt was used before.
    error OfferExists(OfferId id);

    /// @notice There is no such offer, or it was withdrawn.
    error OfferNotAvailable(OfferId id);

    /// @notice A lease from `from` to `until` does not fit into the window of the offer, or the window is empty or over.
    error OutsideWindow(uint40 from, uint40 until);

    /// @notice The offer has `free` units and the order asks for `asked`.
    error NotEnoughUnits(OfferId id, uint32 free, uint32 asked);

    /// @notice The offer's price is higher than the order allows.
    error PriceTooHigh(uint64 pricePerHour, uint64 maxPricePerHour);

    /* LEASES */

    /// @notice The lease is in a state from which this does not lead anywhere.
    error WrongState(bytes32 id, State state);

    /// @notice The deadline has passed.
    error TooLate(uint40 deadline);

    /// @notice The deadline has not passed yet.
    error TooEarly(uint40 deadline);

    /// @notice `value` is more than `max`: a span, or the time an order waits.
    error TooLong(uint256 value, uint256 max);

    /// @notice The contact does not hash to what the order says.
    error WrongContact(bytes32 contactHash);

    /// @notice The signature is not that of `signer`.
    error WrongSignature(address signer);

    /// @notice The penalty takes more than the reserve.
    error PenaltyTooHigh(uint64 amount, uint64 reserve);

    /// @notice The parties would get more than half of the penalty.
    error SharesTooHigh(uint256 shares, uint64 max);

    /* ADMINISTRATION */

    /// @notice The verifier may be changed from `from` on; 0 if none is announced.
    error VerifierNotDue(uint40 from);

    /* VALIDATORS */

    /// @notice `validator` has a seat: one that left is free once no draw can fall on it any more.
    error AlreadySeated(address validator);

    /// @notice `validator` has no seat, or has left it before.
    error NotSeated(address validator);

    /// @notice All seats are taken.
    error NoSeatFree();

    /// @notice Not before block `from`.
    error BlockNotReached(uint256 from);

    /// @notice `eligible` validators are there, and `wanted` are asked for.
    error NotEnoughValidators(uint256 eligible, uint256 wanted);

    /* PROOFS */

    /// @notice A value that a notary cannot be deployed with, or a market that it cannot serve.
    error WrongConfig();

    /// @notice The notary serves a market already, or none yet.
    error WrongMarket(address market);

    /// @notice The proof is in a phase from which this does not lead anywhere.
    error WrongPhase(bytes32 id, Phase phase);

    /// @notice The consumer has asked for a proof of this subject before.
    error ProofExists(bytes32 id);

    /// @notice The request is not about this order, or not what was committed to for it.
    error WrongSubject(bytes32 subject);

    /// @notice So many leaves do not cover the segments.
    error WrongLeafCount(uint32 leafCount, uint32 segments);

    /// @notice `value` is more than `max`.
    error TooMany(uint256 value, uint256 max);

    /// @notice The fee is less than the least.
    error FeeTooLow(uint64 fee, uint64 min);

    /// @notice `caller` was not drawn, or has said it before.
    error NothingToSay(address caller);

    /// @notice This is not what was committed to.
    error WrongReveal();

    /// @notice The segment was not drawn.
    error NotDrawn(uint256 segment);

    /// @notice The root does not have this leaf at this position.
    error WrongLeaf(uint256 position);

    /// @notice The log was longer, or had another root at this size.
    error LogRewritten(bytes32 log, uint64 size);
}
