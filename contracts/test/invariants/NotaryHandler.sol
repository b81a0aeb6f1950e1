// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";
import {Notary} from "../../src/Notary.sol";
import {Drawn, Finding, Outcome, Phase, Proof, Request} from "../../src/NotaryTypes.sol";
import {Account, OfferId, OfferTerms, Order, State} from "../../src/Types.sol";
import {HashLib} from "../../src/libraries/HashLib.sol";
import {Test} from "../helpers/Test.sol";
import {ReenteringToken} from "../helpers/Tokens.sol";

/// @notice Plays consumers, a provider, validators and strangers around a notary and its market, at random.
contract NotaryHandler is Test {
    uint256 private constant PROOFS_MAX = 10;
    bytes32 private constant JOB = keccak256("job");
    bytes32 private constant SALT = keccak256("salt");
    uint32 private constant SEGMENTS = 9;

    Market public immutable market;
    Notary public immutable notary;
    ReenteringToken public immutable token;
    address public immutable provider = address(0xF1);
    address public immutable bot = address(0xB07);
    address[2] public consumers = [address(0xC1), address(0xC2)];
    address[6] public validators;

    OfferId private _offer;
    uint64 private _salt;
    Request[] private _requests;
    Order[] private _orders;
    bytes32[] public ids;
    mapping(bytes32 id => uint256) public paidIn;
    mapping(bytes32 id => mapping(address => Finding)) private _meant;
    mapping(string action => uint256) public done;

    constructor(Market market_, Notary notary_, ReenteringToken token_) {
        (market, notary, token) = (market_, notary_, token_);
        for (uint256 i = 0; i < 6; i++) {
            validators[i] = address(uint160(0x7A100 + i));
        }
        for (uint256 i = 0; i < 10; i++) {
            address who = ownerAt(i);
            if (who == bot || who == notary_.insurance()) continue;
            token_.mint(who, 1e13);
            vm.startPrank(who);
            token_.approve(address(market_), type(uint256).max);
            token_.approve(address(notary_), type(uint256).max);
            market_.deposit(1e12);
            notary_.deposit(1e12);
            vm.stopPrank();
        }
        vm.startPrank(provider);
        market_.stake(5e11);
        OfferTerms memory terms = OfferTerms(2_000_000_001, 64, uint40(block.timestamp), type(uint40).max);
        _offer = market_.postOffer(1, terms, bytes("spec"));
        vm.stopPrank();
        for (uint256 i = 0; i < 6; i++) {
            vm.startPrank(validators[i]);
            notary_.stake(1e10 * uint64(i + 1));
            notary_.join(uint32(i + 1));
            vm.stopPrank();
        }
        vm.roll(block.number + 1);
    }

    /* PROOFS */

    /// @dev A lease that was committed to, and a proof of it; or one of a lease elsewhere.
    function open(uint256 who, uint256 luck) external {
        if (ids.length == PROOFS_MAX) return;
        address consumer = consumers[who % 2];
        Request memory request = Request({
            consumer: consumer,
            subject: keccak256(abi.encode(luck, who)),
            jobHash: JOB,
            root: keccak256("root"),
            leafCount: SEGMENTS + 1,
            segments: SEGMENTS,
            sample: uint32(luck % 9),
            validators: uint32((luck >> 8) % 4) + 1,
            fee: uint64((luck >> 16) % 1e8) + 1,
            provider: address(0),
            salt: ++_salt
        });
        Order memory order;
        if (luck % 4 == 0) {
            bytes memory signature = sign(notary.commitmentDigest(request.subject, request.root, SEGMENTS + 1));
            vm.prank(consumer);
            if (!count("openSigned", abi.encodeCall(notary.openSigned, (request, signature, "")))) return;
        } else {
            order = committed(consumer);
            request.subject = market.leaseId(order);
            request.provider = provider;
            vm.prank(consumer);
            if (!count("open", abi.encodeCall(notary.open, (request, order, "")))) return;
        }
        bytes32 id = notary.proofId(request);
        _requests.push(request);
        _orders.push(order);
        ids.push(id);
        uint256 replayed = request.sample < SEGMENTS - 2 ? request.sample + 2 : SEGMENTS;
        paidIn[id] = replayed * request.validators * request.fee;
    }

    function committed(address consumer) private returns (Order memory order) {
        order = Order({
            consumer: consumer,
            offer: _offer,
            jobHash: JOB,
            contactHash: keccak256(""),
            maxPricePerHour: 2_000_000_001,
            units: 1,
            span: 1 hours,
            acceptBy: uint40(block.timestamp) + 1,
            salt: ++_salt
        });
        vm.prank(consumer);
        market.createLease(order, "");
        vm.prank(provider);
        market.accept(order);
        vm.warp(block.timestamp + 30 minutes);
        vm.prank(provider);
        market.commit(order, keccak256("root"), SEGMENTS + 1);
    }

    function draw(uint256 which, uint256 luck) external {
        (Request memory request, bytes32 id,, bool found) = pick(which);
        if (!found) return;
        vm.roll(block.number + luck % (luck % 17 == 0 ? 300 : 4));
        (Proof memory before,,,) = notary.proof(id);
        if (!count("draw", abi.encodeCall(notary.draw, (request)))) return;
        vm.assertTrue(block.number > before.drawBlock, "I7: drawn before its block");
        (Proof memory found_,,, Drawn[] memory who) = notary.proof(id);
        if (found_.phase == Phase.Opened) return;
        vm.assertEq(who.length, request.validators, "drawn");
        for (uint256 i = 0; i < who.length; i++) {
            vm.assertTrue(who[i].validator != request.consumer && who[i].validator != provider, "drawn");
        }
    }

    function abandon(uint256 which) external {
        (Request memory request,,, bool found) = pick(which);
        if (found) count("abandon", abi.encodeCall(notary.abandon, (request)));
    }

    function commitFinding(uint256 which, uint256 who, uint256 luck) external {
        (, bytes32 id,, bool found) = pick(which);
        if (!found) return;
        address validator = validators[who % 6];
        Finding finding = Finding(luck % 3 + 1);
        bytes32 hash = HashLib.finding(id, validator, finding, bytes32(luck % 8 / 7), SALT);
        vm.prank(validator);
        if (count("commitFinding", abi.encodeCall(notary.commitFinding, (id, hash)))) {
            vm.assertTrue(_meant[id][validator] == Finding.None, "committed twice");
            _meant[id][validator] = finding;
        }
    }

    function revealFinding(uint256 which, uint256 who, uint256 luck) external {
        (, bytes32 id,, bool found) = pick(which);
        if (!found) return;
        address validator = validators[who % 6];
        Finding finding = luck % 9 == 0 ? Finding(luck % 3 + 1) : _meant[id][validator];
        vm.prank(validator);
        bytes memory call = abi.encodeCall(notary.revealFinding, (id, finding, bytes32(luck % 2), SALT));
        if (count("revealFinding", call)) {
            vm.assertTrue(_meant[id][validator] == finding, "revealed what was not committed to");
        }
    }

    /// @dev All drawn validators find one thing, as honest ones do, and say it.
    function agree(uint256 which, uint256 luck) external {
        (, bytes32 id,, bool found) = pick(which);
        if (!found) return;
        (,,, Drawn[] memory who) = notary.proof(id);
        Finding finding = Finding(luck % 3 + 1);
        for (uint256 i = 0; i < who.length; i++) {
            bytes32 hash = HashLib.finding(id, who[i].validator, finding, 0, SALT);
            vm.prank(who[i].validator);
            if (count("commitFinding", abi.encodeCall(notary.commitFinding, (id, hash)))) {
                _meant[id][who[i].validator] = finding;
            }
        }
        for (uint256 i = 0; i < who.length; i++) {
            vm.prank(who[i].validator);
            count("revealFinding", abi.encodeCall(notary.revealFinding, (id, finding, 0, SALT)));
        }
    }

    function conclude(uint256 which, uint256 how) public {
        (Request memory request, bytes32 id, Order memory order, bool found) = pick(which);
        if (!found) return;
        uint64 reserve = market.reserveOf(request.subject);
        uint64 staked = market.account(provider).stake;
        bytes memory call = request.provider == address(0)
            ? abi.encodeCall(notary.concludeSigned, (request))
            : abi.encodeCall(notary.conclude, (request, order));
        arm(how);
        vm.prank(how % 2 == 0 ? request.consumer : bot);
        bool isDone = count("conclude", call);
        disarm();
        if (!isDone) return;
        (,, Outcome memory outcome,) = notary.proof(id);
        vm.assertEq(uint256(outcome.feePaid) + outcome.feeBack, paidIn[id], "I10: fee");
        vm.assertEq(staked - market.account(provider).stake, outcome.slashed, "I8: slash");
        vm.assertLe(outcome.slashed, reserve, "I4: slashed more than reserved");
        vm.assertLe(outcome.toConsumer, outcome.slashed / 4, "I8: shares");
        vm.assertEq(market.account(address(notary)).balance, 0, "the reward was fetched");
    }

    /* VALIDATORS */

    function joinOrLeave(uint256 who, uint32 units) external {
        address validator = validators[who % 6];
        vm.prank(validator);
        if (units % 3 == 0) count("leave", abi.encodeCall(notary.leave, ()));
        else count("join", abi.encodeCall(notary.join, (uint32(bound(units, 1, 6)))));
    }

    function depart(uint256 who, uint256 luck) external {
        vm.roll(block.number + luck % 200);
        count("depart", abi.encodeCall(notary.depart, (validators[who % 6])));
    }

    function stakeOrUnbond(uint256 who, uint64 amount) external {
        address validator = validators[who % 6];
        uint256 how = amount % 3;
        amount = uint64(bound(amount, 1, 3e10));
        vm.prank(validator);
        if (how == 0) count("stake", abi.encodeCall(notary.stake, (amount)));
        else if (how == 1) count("unbond", abi.encodeCall(notary.unbond, (amount)));
        else count("claim", abi.encodeCall(notary.claimUnbonded, ()));
    }

    /* MONEY */

    function depositOrWithdraw(uint256 who, uint64 amount, uint256 how) external {
        address owner = ownerAt(who % 9);
        amount = uint64(bound(amount, 1, 1e11));
        arm(how);
        vm.prank(owner);
        if (how % 2 == 0) count("deposit", abi.encodeCall(notary.deposit, (amount)));
        else count("withdraw", abi.encodeCall(notary.withdraw, (amount, owner)));
        disarm();
    }

    /// @dev The token calls the notary back in the middle of a transfer.
    function arm(uint256 how) private {
        if (how % 8 < 5) return;
        bytes memory call = abi.encodeCall(notary.withdraw, (1, address(token)));
        if (how % 8 == 6) call = abi.encodeCall(notary.deposit, (1));
        if (how % 8 == 7 && ids.length != 0) {
            (Request memory request,, Order memory order,) = pick(how >> 8);
            call = abi.encodeCall(notary.conclude, (request, order));
        }
        token.arm(address(notary), call);
    }

    function disarm() private {
        if (token.calledBack()) {
            done["callback"]++;
            vm.assertTrue(!token.succeeded(), "a call in the middle of a transfer was taken");
        }
        token.arm(address(0), "");
    }

    /* THE WORLD */

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, time % 7 == 0 ? 1 hours : 5 minutes));
        vm.roll(block.number + 1);
    }

    /// @dev The lease goes another way before the verdict is there.
    function disturb(uint256 which, uint256 how) external {
        (Request memory request,, Order memory order, bool found) = pick(which);
        if (!found || request.provider == address(0) || how % 4 != 0) return;
        vm.prank(request.consumer);
        (bool isDone,) = address(market)
            .call(how % 8 == 0 ? abi.encodeCall(market.settle, (order)) : abi.encodeCall(market.expire, (order)));
        if (isDone) done["disturb"]++;
    }

    /// @dev I5: after this nothing is open, by calls of strangers alone.
    function letTimePass() external {
        vm.warp(block.timestamp + 1 days);
        vm.roll(block.number + 1);
        for (uint256 i = 0; i < ids.length; i++) {
            (Request memory request, bytes32 id, Order memory order,) = pick(i);
            (Proof memory before,,,) = notary.proof(id);
            vm.prank(bot);
            if (before.phase == Phase.Opened) notary.abandon(request);
            else if (before.phase < Phase.Concluded && request.provider == address(0)) notary.concludeSigned(request);
            else if (before.phase < Phase.Concluded) notary.conclude(request, order);
            State state = market.lease(request.subject).state;
            if (state != State.None && state < State.Cancelled) market.expire(order);
        }
    }

    /* READING */

    function proofs() external view returns (uint256) {
        return ids.length;
    }

    function requestAt(uint256 i) external view returns (Request memory) {
        return _requests[i];
    }

    /// @dev Everybody who can have an account.
    function ownerAt(uint256 i) public view returns (address) {
        if (i < 6) return validators[i];
        if (i < 8) return consumers[i - 6];
        return i == 8 ? provider : i == 9 ? notary.insurance() : bot;
    }

    function pick(uint256 which)
        private
        view
        returns (Request memory request, bytes32 id, Order memory order, bool found)
    {
        if (ids.length == 0) return (request, id, order, false);
        which %= ids.length;
        return (_requests[which], ids[which], _orders[which], true);
    }

    function sign(bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xA6, digest);
        return abi.encodePacked(r, s, v);
    }

    function count(string memory action, bytes memory call) private returns (bool succeeded) {
        (succeeded,) = address(notary).call(call);
        if (succeeded) done[action]++;
    }
}
