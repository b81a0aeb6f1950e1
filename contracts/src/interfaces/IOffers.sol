// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Offer, OfferId, OfferTerms} from "../Types.sol";

/// @title IOffers
/// @notice What providers sell. An offer never changes, so a consumer gets the price it saw or nothing.
interface IOffers {
    /// @notice Posts an offer of the caller. Its stake has to cover all units it then offers.
    /// @param salt Any number that the caller has not used for an offer before.
    /// @param spec The description of the hardware; only its hash is stored, the event carries it.
    /// @return id The caller's address and the salt.
    function postOffer(uint96 salt, OfferTerms calldata terms, bytes calldata spec) external returns (OfferId id);

    /// @notice Ends an offer of the caller: no further lease is accepted or extended on it; running ones go on.
    function withdrawOffer(OfferId id) external;

    /// @notice The offer, all zero if there is none.
    function offer(OfferId id) external view returns (Offer memory);

    /// @notice Keccak-256 of the description that `OfferPosted` carries.
    function specHashOf(OfferId id) external view returns (bytes32);

    /// @notice The id of the offer that `provider` posts under `salt`.
    function offerId(address provider, uint96 salt) external pure returns (OfferId);
}
