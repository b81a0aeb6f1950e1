// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

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
}
