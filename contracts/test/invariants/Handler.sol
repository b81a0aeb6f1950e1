// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";
import {Account, Lease, OfferId, OfferTerms, Order, Penalty, State} from "../../src/Types.sol";
import {Test} from "../helpers/Test.sol";
import {ReenteringToken} from "../helpers/Tokens.sol";

/// @notice Plays everybody at random: consumers, providers, the verifier, strangers, a bot that copies what it sees, and a
/// token that calls back. What must work is asserted here; what may be refused is tried and counted.
contract Handler is Test {
    uint256 private constant LEASES_MAX = 12;
    bytes32 private constant ROOT = keccak256("root");

    Market public immutable market;
    ReenteringToken public immutable token;
    address public immutable owner;
    address public immutable verifier;
    address public immutable insurance;
    address public immutable bot = address(0xB07);

    address[3] public consumers;
    address[2] public providers;
    OfferId[] public offers;

    Order[] private _orders;
    bytes32[] public ids;
    mapping(bytes32 id => uint256) public paidIn;
    mapping(bytes32 id => uint256) public paidOut;
    mapping(bytes32 id => uint256) public exits;
    mapping(bytes32 id => bytes32) public rootOf;
    mapping(string action => uint256) public done;

    constructor(Market market_, ReenteringToken token_, address owner_) {
        (market, token, owner) = (market_, token_, owner_);
        (verifier, insurance) = (market_.verifier(), market_.insurance());
        consumers = [address(0xC1), address(0xC2), address(token_)];
        providers = [address(0xF1), address(0xF2)];
        for (uint256 i = 0; i < 5; i++) {
            address actor = actorAt(i);
            token_.mint(actor, 1e12);
            vm.startPrank(actor);
            token_.approve(address(market_), type(uint256).max);
            market_.deposit(1e11);
            vm.stopPrank();
        }
        for (uint256 i = 0; i < 2; i++) {
            vm.prank(providers[i]);
            market_.stake(5e10);
            post(i, 1, 4, 2_000_000_001);
        }
    }

    /* ACCOUNTS */

    function deposit(uint256 who, uint64 amount, uint256 callback) external {
        amount = uint64(bound(amount, 1, 1e9));
        arm(callback);
        vm.prank(actorAt(who));
        market.deposit(amount);
        settleCallback();
        done["deposit"]++;
    }

    /// @dev I9: works whatever else goes on, paused or not.
    function withdraw(uint256 who, uint64 amount, uint256 callback) external {
        address actor = actorAt(who);
        uint64 balance = market.account(actor).balance;
        if (balance == 0) return;
        amount = uint64(bound(amount, 1, balance));
        arm(callback);
        vm.prank(actor);
        market.withdraw(amount, actor);
        settleCallback();
        done["withdraw"]++;
    }

    function stake(uint256 who, uint64 amount) external {
        address actor = providers[who % 2];
        uint64 balance = market.account(actor).balance;
        if (balance == 0) return;
        vm.prank(actor);
        market.stake(uint64(bound(amount, 1, balance)));
        done["stake"]++;
    }

    function unbond(uint256 who, uint64 amount) external {
        vm.prank(providers[who % 2]);
        count("unbond", address(market), abi.encodeCall(market.unbond, (uint64(bound(amount, 1, 6e10)))));
    }

    function claimUnbonded(uint256 who) external {
        vm.prank(providers[who % 2]);
        count("claimUnbonded", address(market), abi.encodeCall(market.claimUnbonded, ()));
    }

    /* OFFERS */

    function postOffer(uint256 who, uint96 salt, uint32 units, uint64 price) external {
        if (offers.length >= 6) return;
        post(who, salt, units, price);
    }

    function withdrawOffer(uint256 which) external {
        if (which % 4 != 0) return;
        OfferId id = offers[which % offers.length];
        vm.prank(providerOf(id));
        count("withdrawOffer", address(market), abi.encodeCall(market.withdrawOffer, (id)));
    }

    /* LEASES */

    function create(uint256 who, uint256 which, uint32 units, uint32 span, uint32 wait, uint256 callback) external {
        if (_orders.length >= LEASES_MAX) return;
        Order memory order = Order({
            consumer: consumers[who % 3],
            offer: offers[which % offers.length],
            jobHash: keccak256("job"),
            contactHash: keccak256("contact"),
            maxPricePerHour: type(uint64).max,
            units: uint32(bound(units, 1, 4)),
            span: uint32(bound(span, 1, 3 hours)),
            acceptBy: uint40(block.timestamp + bound(wait, 0, 1 hours)),
            salt: uint64(_orders.length)
        });
        bytes32 id = market.leaseId(order);
        arm(callback);
        vm.prank(order.consumer);
        if (count("create", address(market), abi.encodeCall(market.createLease, (order, bytes("contact"))))) {
            paidIn[id] = market.charge(market.lease(id).rate, order.span);
            _orders.push(order);
            ids.push(id);
        }
        settleCallback();
    }

    function cancel(uint256 which, bool byProvider) external {
        if (which % 3 != 0) return;
        (Order memory order, bytes32 id, bool found) = pick(which);
        if (!found) return;
        uint64 escrow = market.escrowOf(id);
        vm.prank(byProvider ? providerOf(order.offer) : order.consumer);
        if (count("cancel", address(market), abi.encodeCall(market.cancel, (order)))) leave(id, escrow);
    }

    function accept(uint256 which) external {
        (Order memory order,, bool found) = pick(which);
        if (!found) return;
        vm.prank(providerOf(order.offer));
        count("accept", address(market), abi.encodeCall(market.accept, (order)));
    }

    function extend(uint256 which, uint32 extra, uint256 callback) external {
        (Order memory order, bytes32 id, bool found) = pick(which);
        if (!found) return;
        uint64 escrow = market.escrowOf(id);
        arm(callback);
        vm.prank(order.consumer);
        if (count("extend", address(market), abi.encodeCall(market.extend, (order, uint32(bound(extra, 1, 1 hours))))))
        {
            paidIn[id] += market.charge(market.lease(id).rate, market.lease(id).span) - escrow;
        }
        settleCallback();
    }

    function end(uint256 which, bool byProvider) external {
        (Order memory order, bytes32 id, bool found) = pick(which);
        if (!found) return;
        uint64 escrow = market.escrowOf(id);
        vm.prank(byProvider ? providerOf(order.offer) : order.consumer);
        if (count("end", address(market), abi.encodeCall(market.end, (order)))) {
            paidOut[id] += escrow - market.escrowOf(id);
        }
    }

    function commit(uint256 which, uint32 leaves) external {
        (Order memory order, bytes32 id, bool found) = pick(which);
        if (!found) return;
        uint64 escrow = market.escrowOf(id);
        bytes32 root = keccak256(abi.encode(which));
        vm.prank(providerOf(order.offer));
        bytes memory call = abi.encodeCall(market.commit, (order, root, uint32(bound(leaves, 1, 1000))));
        if (count("commit", address(market), call)) {
            vm.assertEq(rootOf[id], bytes32(0), "I6: committed twice");
            rootOf[id] = root;
            paidOut[id] += escrow - market.escrowOf(id);
        }
    }

    function settle(uint256 which, bool byVerifier) external {
        (Order memory order, bytes32 id, bool found) = pick(which);
        if (!found) return;
        uint64 escrow = market.escrowOf(id);
        vm.prank(byVerifier ? verifier : order.consumer);
        if (count("settle", address(market), abi.encodeCall(market.settle, (order)))) leave(id, escrow);
    }

    function refund(uint256 which, bool byVerifier) external {
        (Order memory order, bytes32 id, bool found) = pick(which);
        if (!found) return;
        uint64 escrow = market.escrowOf(id);
        vm.prank(byVerifier ? verifier : providerOf(order.offer));
        if (count("refund", address(market), abi.encodeCall(market.refund, (order)))) leave(id, escrow);
    }

    function dispute(uint256 which) external {
        (Order memory order,, bool found) = pick(which);
        if (!found) return;
        vm.prank(verifier);
        count("dispute", address(market), abi.encodeCall(market.dispute, (order)));
    }

    function slash(uint256 which, Penalty memory penalty) external {
        (Order memory order, bytes32 id, bool found) = pick(which);
        if (!found) return;
        uint64 reserve = market.reserveOf(id);
        penalty.amount = uint64(bound(penalty.amount, 1, uint256(reserve) + 1));
        penalty.toConsumer = uint64(bound(penalty.toConsumer, 0, penalty.amount / 2));
        penalty.toChallenger = uint64(bound(penalty.toChallenger, 0, penalty.amount / 2 - penalty.toConsumer));
        penalty.challenger = consumers[which % 3];
        uint64 escrow = market.escrowOf(id);
        uint64 staked = market.account(providerOf(order.offer)).stake;
        uint256 credited = balances();
        vm.prank(verifier);
        if (!count("slash", address(market), abi.encodeCall(market.slash, (order, penalty)))) return;
        leave(id, escrow);
        uint64 slashed = staked - market.account(providerOf(order.offer)).stake;
        vm.assertLe(slashed, reserve, "I4: slashed more than reserved");
        vm.assertEq(balances() - credited, uint256(slashed) + escrow, "I8: credits are not slash and price");
    }

    /// @dev I5: by anybody, exactly when the deadline of a state that is not final has passed.
    function expire(uint256 which, address who) public {
        (Order memory order, bytes32 id, bool found) = pick(which);
        if (!found) return;
        Lease memory before = market.lease(id);
        uint64 escrow = market.escrowOf(id);
        bool due = before.state != State.None && before.state < State.Cancelled && block.timestamp > before.deadline;
        vm.prank(who);
        bool expired = count("expire", address(market), abi.encodeCall(market.expire, (order)));
        vm.assertTrue(expired == due, "I5: expiry is not as due");
        if (expired) leave(id, escrow);
    }

    /// @dev Sends what others would send, in its own name or with itself as the consumer. It earns nothing.
    function copy(uint256 which, uint256 how) external {
        (Order memory order,, bool found) = pick(which);
        if (!found) return;
        if (how % 2 == 0) order.consumer = bot;
        bytes[6] memory calls = [
            abi.encodeCall(market.createLease, (order, bytes("contact"))),
            abi.encodeCall(market.accept, (order)),
            abi.encodeCall(market.commit, (order, ROOT, 1)),
            abi.encodeCall(market.settle, (order)),
            abi.encodeCall(market.end, (order)),
            abi.encodeCall(market.createLeaseFor, (order, bytes("contact"), new bytes(65)))
        ];
        vm.prank(bot);
        bool accepted = count("copy", address(market), calls[how % 6]);
        vm.assertTrue(!accepted, "a copy was accepted");
    }

    /* THE WORLD */

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, time % 5 == 0 ? 2 days : 20 minutes));
    }

    function togglePause(uint256 luck) external {
        bool paused = market.paused();
        if (!paused && luck % 4 != 0) return;
        vm.prank(owner);
        if (paused) market.unpause();
        else market.pause();
    }

    /// @dev After this nobody has a claim that time has not settled.
    function letTimePass() external {
        for (uint256 round = 0; round < 3; round++) {
            vm.warp(block.timestamp + 30 days);
            for (uint256 i = 0; i < _orders.length; i++) {
                expire(i, bot);
            }
        }
    }

    /* READING */

    function leases() external view returns (uint256) {
        return _orders.length;
    }

    /// @dev What the invariants need of an order.
    function leaseAt(uint256 i) external view returns (bytes32 id, OfferId offer, uint32 units) {
        return (ids[i], _orders[i].offer, _orders[i].units);
    }

    function actorAt(uint256 i) public view returns (address) {
        i %= 5;
        return i < 3 ? consumers[i] : providers[i - 3];
    }

    /// @dev Everybody who can have an account.
    function ownerAt(uint256 i) public view returns (address) {
        if (i < 5) return actorAt(i);
        return i == 5 ? insurance : bot;
    }

    function balances() public view returns (uint256 sum) {
        for (uint256 i = 0; i < 7; i++) {
            sum += market.account(ownerAt(i)).balance;
        }
    }

    function providerOf(OfferId offer) public pure returns (address) {
        return address(uint160(uint256(OfferId.unwrap(offer)) >> 96));
    }

    function offerCount() external view returns (uint256) {
        return offers.length;
    }

    /* INTERNAL */

    function post(uint256 who, uint96 salt, uint32 units, uint64 price) private {
        OfferTerms memory terms = OfferTerms({
            pricePerHour: uint64(bound(price, 1, 5e9)),
            units: uint32(bound(units, 1, 6)),
            availableFrom: uint40(block.timestamp),
            availableUntil: uint40(block.timestamp) + 60 days
        });
        address provider = providers[who % 2];
        vm.prank(provider);
        if (count("postOffer", address(market), abi.encodeCall(market.postOffer, (salt, terms, bytes("spec"))))) {
            offers.push(market.offerId(provider, salt));
        }
    }

    function pick(uint256 which) private view returns (Order memory order, bytes32 id, bool found) {
        if (_orders.length == 0) return (order, id, false);
        order = _orders[which % _orders.length];
        return (order, ids[which % ids.length], true);
    }

    function leave(bytes32 id, uint64 escrow) private {
        exits[id]++;
        paidOut[id] += escrow;
    }

    function count(string memory action, address target, bytes memory call) private returns (bool succeeded) {
        (succeeded,) = target.call(call);
        if (succeeded) done[action]++;
    }

    /* A TOKEN THAT CALLS BACK */

    bytes32 private _expiring;
    uint64 private _expiringEscrow;

    function arm(uint256 how) private {
        if (how % 2 == 0) return;
        how /= 2;
        delete _expiring;
        bytes memory call = abi.encodeCall(market.withdraw, (1, address(token)));
        if (how % 4 == 1) call = abi.encodeCall(market.deposit, (1));
        if (how % 4 == 2 && _orders.length != 0) {
            (Order memory order, bytes32 id,) = pick(how);
            (_expiring, _expiringEscrow) = (id, market.escrowOf(id));
            call = abi.encodeCall(market.expire, (order));
        }
        if (how % 4 == 3) call = abi.encodeCall(market.stake, (1));
        token.arm(address(market), call);
    }

    function settleCallback() private {
        bool expired = token.calledBack() && token.succeeded() && _expiring != 0;
        if (expired) leave(_expiring, _expiringEscrow);
        if (token.calledBack()) done["callback"]++;
        delete _expiring;
        token.arm(address(0), "");
    }
}
