// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Account, Offer, OfferId, OfferTerms, Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {OfferIdLib} from "../../src/libraries/OfferIdLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";

contract OffersTest is MarketTest {
    function test_postOffer() external {
        OfferId id = market.offerId(provider, 2);
        vm.prank(provider);
        vm.expectEmit();
        emit EventsLib.OfferPosted(id, provider, terms(), SPEC);
        market.postOffer(2, terms(), SPEC);
        Offer memory found = market.offer(id);
        vm.assertEq(found.pricePerHour, PRICE, "price");
        vm.assertEq(found.units, UNITS, "units");
        vm.assertEq(found.leased, 0, "leased");
        vm.assertEq(found.availableFrom, NOW, "from");
        vm.assertEq(found.availableUntil, NOW + 30 days, "until");
        vm.assertTrue(!found.withdrawn, "withdrawn");
        vm.assertEq(market.specHashOf(id), keccak256(SPEC), "spec");
        vm.assertEq(market.account(provider).offered, 2 * UNITS, "offered");
    }

    function testFuzz_offerId(address who, uint96 salt) external view {
        OfferId id = market.offerId(who, salt);
        vm.assertEq(OfferIdLib.provider(id), who, "provider");
        vm.assertEq(uint96(uint256(OfferId.unwrap(id))), salt, "salt");
    }

    function test_postOffer_twice() external {
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.OfferExists.selector, offerId));
        market.postOffer(1, terms(), SPEC);
    }

    function test_postOffer_withoutPriceUnitsOrSpec() external {
        OfferTerms memory bad = terms();
        bad.pricePerHour = 0;
        expectRefused(bad, SPEC, abi.encodeWithSelector(ErrorsLib.ZeroValue.selector));
        bad = terms();
        bad.units = 0;
        expectRefused(bad, SPEC, abi.encodeWithSelector(ErrorsLib.ZeroValue.selector));
        expectRefused(terms(), "", abi.encodeWithSelector(ErrorsLib.ZeroValue.selector));
    }

    function test_postOffer_windowEmptyOrOver() external {
        OfferTerms memory bad = terms();
        bad.availableFrom = bad.availableUntil;
        expectRefused(
            bad, SPEC, abi.encodeWithSelector(ErrorsLib.OutsideWindow.selector, bad.availableFrom, bad.availableUntil)
        );
        bad.availableFrom = NOW - 2;
        bad.availableUntil = NOW;
        expectRefused(
            bad, SPEC, abi.encodeWithSelector(ErrorsLib.OutsideWindow.selector, bad.availableFrom, bad.availableUntil)
        );
    }

    /// Stake goes with capacity, over all offers together: an identity without stake offers nothing.
    function test_postOffer_stakeTooSmall() external {
        OfferTerms memory big = terms();
        big.units = 43;
        expectRefused(
            big,
            SPEC,
            abi.encodeWithSelector(
                ErrorsLib.InsufficientStake.selector, provider, 500 * DOLLAR, (43 + 8) * STAKE_PER_UNIT
            )
        );
        big.units = 42;
        vm.prank(provider);
        market.postOffer(2, big, SPEC);
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(ErrorsLib.InsufficientStake.selector, stranger, 0, UNITS * STAKE_PER_UNIT)
        );
        market.postOffer(2, terms(), SPEC);
    }

    function test_withdrawOffer() external {
        vm.prank(provider);
        vm.expectEmit();
        emit EventsLib.OfferWithdrawn(offerId);
        market.withdrawOffer(offerId);
        vm.assertTrue(market.offer(offerId).withdrawn, "withdrawn");
        vm.assertEq(market.account(provider).offered, 0, "offered");
    }

    function test_withdrawOffer_leasesGoOn() external {
        (Order memory order, bytes32 id) = accepted();
        vm.prank(provider);
        market.withdrawOffer(offerId);
        skip(SPAN);
        commit(order);
        vm.prank(consumer);
        market.settle(order);
        assertState(id, State.Settled);
        vm.assertEq(market.offer(offerId).leased, 0, "leased");
    }

    function test_withdrawOffer_notMineOrNotThere() external {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        market.withdrawOffer(offerId);
        OfferId none = market.offerId(provider, 9);
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.OfferNotAvailable.selector, none));
        market.withdrawOffer(none);
        market.withdrawOffer(offerId);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.OfferNotAvailable.selector, offerId));
        market.withdrawOffer(offerId);
    }

    function expectRefused(OfferTerms memory bad, bytes memory spec, bytes memory reason) private {
        vm.prank(provider);
        vm.expectRevert(reason);
        market.postOffer(2, bad, spec);
    }
}
