// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";
import {TestDollar} from "../../src/TestDollar.sol";
import {Account, Config, Lease, Offer, OfferId, OfferTerms, Order, State} from "../../src/Types.sol";
import {Test} from "./Test.sol";

/// @notice A market with a provider that has posted an offer and a consumer that has money, and the steps of a lease.
abstract contract MarketTest is Test {
    uint64 internal constant DOLLAR = 1e6;
    uint64 internal constant STAKE_PER_UNIT = 10 * DOLLAR;
    uint32 internal constant RESERVE_BPS = 20_000;
    uint32 internal constant UNBONDING = 7 days;
    uint32 internal constant COMMIT_WINDOW = 10 minutes;
    uint32 internal constant VERDICT_WINDOW = 1 hours;
    uint32 internal constant DISPUTE_WINDOW = 1 days;

    uint40 internal constant NOW = 1_700_000_000;
    uint64 internal constant PRICE = 2_500_001;
    uint32 internal constant UNITS = 8;
    uint32 internal constant SPAN = 1 hours;
    bytes internal constant SPEC = '{"accelerator":"H100","count":1,"memory_gib":80,"region":"EU"}';
    bytes internal constant CONTACT = "https://gateway.example:7443 sha256:7f83b1657ff1fc53b92dc18148a1d65d";
    bytes32 internal constant ROOT = keccak256("root");
    uint32 internal constant LEAVES = 33;

    uint256 internal constant CONSUMER_KEY = 0xC0;
    uint256 internal constant PROVIDER_KEY = 0xF0;
    uint256 internal constant AGENT_KEY = 0xA6;

    address internal immutable consumer = vm.addr(CONSUMER_KEY);
    address internal immutable provider = vm.addr(PROVIDER_KEY);
    address internal immutable agent = vm.addr(AGENT_KEY);
    address internal immutable owner = address(0x0123);
    address internal immutable verifier = address(0x7E);
    address internal immutable insurance = address(0x115);
    address internal immutable stranger = address(0x57);

    TestDollar internal dollar;
    Market internal market;
    OfferId internal offerId;

    function setUp() public virtual {
        vm.warp(NOW);
        dollar = deployTestDollar(owner);
        market = deployMarket(owner, config(address(dollar)));
        fund(consumer, 1_000 * DOLLAR);
        fund(provider, 1_000 * DOLLAR);
        vm.prank(provider);
        market.stake(500 * DOLLAR);
        offerId = postOffer(1);
    }

    /* SETUP */

    function config(address token) internal view returns (Config memory) {
        return Config({
            token: token,
            verifier: verifier,
            insurance: insurance,
            stakePerUnit: STAKE_PER_UNIT,
            reserveBps: RESERVE_BPS,
            unbondingPeriod: UNBONDING,
            commitWindow: COMMIT_WINDOW,
            verdictWindow: VERDICT_WINDOW,
            disputeWindow: DISPUTE_WINDOW
        });
    }

    /// @dev Gives `who` test dollars and puts them into its balance.
    function fund(address who, uint64 amount) internal {
        vm.prank(owner);
        dollar.mint(who, amount);
        vm.prank(who);
        dollar.approve(address(market), type(uint256).max);
        vm.prank(who);
        market.deposit(amount);
    }

    function terms() internal view returns (OfferTerms memory) {
        return OfferTerms({
            pricePerHour: PRICE,
            units: UNITS,
            availableFrom: uint40(block.timestamp),
            availableUntil: uint40(block.timestamp) + 30 days
        });
    }

    function postOffer(uint96 salt) internal returns (OfferId) {
        vm.prank(provider);
        return market.postOffer(salt, terms(), SPEC);
    }

    function anOrder(uint64 salt) internal view returns (Order memory) {
        return Order({
            consumer: consumer,
            offer: offerId,
            jobHash: keccak256("job"),
            contactHash: keccak256(CONTACT),
            maxPricePerHour: PRICE,
            units: 2,
            span: SPAN,
            acceptBy: uint40(block.timestamp) + 5 minutes,
            salt: salt
        });
    }

    /* STEPS OF A LEASE */

    function create(Order memory order) internal returns (bytes32) {
        vm.prank(order.consumer);
        return market.createLease(order, CONTACT);
    }

    function accept(Order memory order) internal {
        vm.prank(provider);
        market.accept(order);
    }

    function commit(Order memory order) internal {
        vm.prank(provider);
        market.commit(order, ROOT, LEAVES);
    }

    function opened() internal returns (Order memory order, bytes32 id) {
        order = anOrder(1);
        id = create(order);
    }

    function accepted() internal returns (Order memory order, bytes32 id) {
        (order, id) = opened();
        accept(order);
    }

    function ended() internal returns (Order memory order, bytes32 id) {
        (order, id) = accepted();
        skip(SPAN / 2);
        vm.prank(consumer);
        market.end(order);
    }

    function committed() internal returns (Order memory order, bytes32 id) {
        (order, id) = accepted();
        skip(SPAN);
        commit(order);
    }

    function disputed() internal returns (Order memory order, bytes32 id) {
        (order, id) = committed();
        vm.prank(verifier);
        market.dispute(order);
    }

    /* SIGNATURES */

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /* TIME */

    function skip(uint256 time) internal {
        vm.warp(block.timestamp + time);
    }

    /// @dev One second after the deadline of the lease.
    function skipDeadline(bytes32 id) internal {
        vm.warp(uint256(market.lease(id).deadline) + 1);
    }

    /* CHECKS */

    function assertState(bytes32 id, State state) internal view {
        vm.assertEq(uint256(market.lease(id).state), uint256(state), "state");
    }

    /// @dev `2.5 dollars for two units` and the like: the formula of the Rust side.
    function price(uint64 rate, uint256 time) internal pure returns (uint64) {
        return uint64((uint256(rate) * time + 3599) / 3600);
    }

    function balanceOf(address who) internal view returns (uint64) {
        return market.account(who).balance;
    }
}
