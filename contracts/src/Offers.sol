// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "./Accounts.sol";
import {Offer, OfferId, OfferTerms} from "./Types.sol";
import {IOffers} from "./interfaces/IOffers.sol";
import {ErrorsLib} from "./libraries/ErrorsLib.sol";
import {EventsLib} from "./libraries/EventsLib.sol";
import {OfferIdLib} from "./libraries/OfferIdLib.sol";
import {PackLib} from "./libraries/PackLib.sol";

/// @title Offers
/// @notice What providers sell, and how much of it is taken.
abstract contract Offers is Accounts, IOffers {
    using OfferIdLib for OfferId;
    using PackLib for Offer;
    using PackLib for uint256;

    /* STORAGE */

    /// @dev An `Offer`, packed.
    mapping(OfferId id => uint256) private _offers;
    mapping(OfferId id => bytes32) private _specHashes;

    /* POSTING */

    /// @inheritdoc IOffers
    function postOffer(uint96 salt, OfferTerms calldata terms, bytes calldata spec) external returns (OfferId id) {
        id = OfferIdLib.from(msg.sender, salt);
        if (_offers[id] != 0) revert ErrorsLib.OfferExists(id);
        if (terms.pricePerHour == 0 || terms.units == 0 || spec.length == 0) revert ErrorsLib.ZeroValue();
        if (terms.availableFrom >= terms.availableUntil || block.timestamp >= terms.availableUntil) {
            revert ErrorsLib.OutsideWindow(terms.availableFrom, terms.availableUntil);
        }
        _offers[id] = Offer({
            pricePerHour: terms.pricePerHour,
            units: terms.units,
            leased: 0,
            availableFrom: terms.availableFrom,
            availableUntil: terms.availableUntil,
            withdrawn: false
        }).pack();
        _specHashes[id] = keccak256(spec);
        _offerMore(msg.sender, terms.units);
        emit EventsLib.OfferPosted(id, msg.sender, terms, spec);
    }

    /// @inheritdoc IOffers
    function withdrawOffer(OfferId id) external {
        if (id.provider() != msg.sender) revert ErrorsLib.Unauthorized(msg.sender);
        Offer memory found = _availableOffer(id);
        found.withdrawn = true;
        _offers[id] = found.pack();
        _offerLess(msg.sender, found.units);
        emit EventsLib.OfferWithdrawn(id);
    }

    /* VIEWS */

    /// @inheritdoc IOffers
    function offer(OfferId id) external view returns (Offer memory) {
        return _offers[id].toOffer();
    }

    /// @inheritdoc IOffers
    function specHashOf(OfferId id) external view returns (bytes32) {
        return _specHashes[id];
    }

    /// @inheritdoc IOffers
    function offerId(address provider, uint96 salt) external pure returns (OfferId) {
        return OfferIdLib.from(provider, salt);
    }

    /* FOR LEASES */

    /// @dev The offer, if leases may begin on it or be extended.
    function _availableOffer(OfferId id) internal view returns (Offer memory found) {
        found = _offers[id].toOffer();
        if (found.availableUntil == 0 || found.withdrawn) revert ErrorsLib.OfferNotAvailable(id);
    }

    /// @dev Gives `units` of the offer to a lease of `span` seconds from now on.
    function _take(OfferId id, uint32 units, uint32 span) internal {
        Offer memory found = _availableOffer(id);
        _requireUnits(id, found, units);
        uint40 from = uint40(block.timestamp);
        if (from < found.availableFrom) revert ErrorsLib.OutsideWindow(from, from + span);
        _requireOver(found, from, span);
        found.leased += units;
        _offers[id] = found.pack();
    }

    /// @dev A lease gives `units` back.
    function _giveBack(OfferId id, uint32 units) internal {
        _offers[id] = _offers[id].withoutLeased(units);
    }

    function _requireUnits(OfferId id, Offer memory found, uint32 units) internal pure {
        uint32 free = found.units - found.leased;
        if (units > free) revert ErrorsLib.NotEnoughUnits(id, free, units);
    }

    /// @dev A lease of `span` seconds from `from` on is over when the offer is.
    function _requireOver(Offer memory found, uint40 from, uint32 span) internal pure {
        uint40 until = from + span;
        if (until > found.availableUntil) revert ErrorsLib.OutsideWindow(from, until);
    }
}
