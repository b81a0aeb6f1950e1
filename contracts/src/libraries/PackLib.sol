// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Drawn, Finding, Outcome, Phase, Proof, Seat, Verdict} from "../NotaryTypes.sol";
import {Account, Lease, Offer, State} from "../Types.sol";

/// @title PackLib
/// @notice Puts the structs of one slot into a word and takes them out again, members from the lowest bits upwards as the
/// compiler lays them out. By hand, because a word lets a transition change one member without taking the rest apart, and
/// because the compiler's own code for whole structs made the contract 3 kB longer.
/// @dev Casts cut off the higher members, which is their purpose here.
library PackLib {
    function pack(Lease memory value) internal pure returns (uint256) {
        return uint256(value.state) | (uint256(value.rate) << 8) | (uint256(value.span) << 72)
            | (uint256(value.used) << 104) | (uint256(value.startedAt) << 136) | (uint256(value.deadline) << 176)
            | (uint256(value.leafCount) << 216);
    }

    function toLease(uint256 word) internal pure returns (Lease memory value) {
        value.state = State(uint8(word));
        value.rate = uint64(word >> 8);
        value.span = uint32(word >> 72);
        value.used = uint32(word >> 104);
        value.startedAt = uint40(word >> 136);
        value.deadline = uint40(word >> 176);
        value.leafCount = uint32(word >> 216);
    }

    function pack(Account memory value) internal pure returns (uint256) {
        return uint256(value.balance) | (uint256(value.stake) << 64) | (uint256(value.reserved) << 128)
            | (uint256(value.offered) << 192);
    }

    function toAccount(uint256 word) internal pure returns (Account memory value) {
        value.balance = uint64(word);
        value.stake = uint64(word >> 64);
        value.reserved = uint64(word >> 128);
        value.offered = uint64(word >> 192);
    }

    /// @dev The balance of a packed account, which has the lowest bits: what is subtracted from the word comes from it.
    function balance(uint256 word) internal pure returns (uint64) {
        return uint64(word);
    }

    function pack(Offer memory value) internal pure returns (uint256) {
        return uint256(value.pricePerHour) | (uint256(value.units) << 64) | (uint256(value.leased) << 96)
            | (uint256(value.availableFrom) << 128) | (uint256(value.availableUntil) << 168)
            | (value.withdrawn ? 1 << 208 : 0);
    }

    /// @dev The packed offer with `units` fewer in leases, without taking the rest apart.
    function withoutLeased(uint256 word, uint32 units) internal pure returns (uint256) {
        uint32 leased = uint32(word >> 96);
        return word - (uint256(leased) << 96) + (uint256(leased - units) << 96);
    }

    function toOffer(uint256 word) internal pure returns (Offer memory value) {
        value.pricePerHour = uint64(word);
        value.units = uint32(word >> 64);
        value.leased = uint32(word >> 96);
        value.availableFrom = uint40(word >> 128);
        value.availableUntil = uint40(word >> 168);
        value.withdrawn = (word >> 208) & 1 != 0;
    }

    function pack(Proof memory value) internal pure returns (uint256) {
        return uint256(value.phase) | (uint256(value.verdict) << 8) | (uint256(value.validators) << 16)
            | (uint256(value.committed) << 24) | (uint256(value.same) << 32) | (uint256(value.differs) << 40)
            | (uint256(value.withheld) << 48) | (value.split ? 1 << 56 : 0) | (value.canary ? 1 << 57 : 0)
            | (value.excused ? 1 << 58 : 0) | (uint256(value.deadline) << 64) | (uint256(value.drawBlock) << 104);
    }

    function toProof(uint256 word) internal pure returns (Proof memory value) {
        value.phase = Phase(uint8(word));
        value.verdict = Verdict(uint8(word >> 8));
        value.validators = uint8(word >> 16);
        value.committed = uint8(word >> 24);
        value.same = uint8(word >> 32);
        value.differs = uint8(word >> 40);
        value.withheld = uint8(word >> 48);
        value.split = (word >> 56) & 1 != 0;
        value.canary = (word >> 57) & 1 != 0;
        value.excused = (word >> 58) & 1 != 0;
        value.deadline = uint40(word >> 64);
        value.drawBlock = uint40(word >> 104);
    }

    /// @dev Without its word, which has a slot of its own.
    function pack(Drawn memory value) internal pure returns (uint256) {
        return uint256(uint160(value.validator)) | (uint256(value.reserved) << 160) | (uint256(value.finding) << 224);
    }

    function toDrawn(uint256 word) internal pure returns (Drawn memory value) {
        value.validator = address(uint160(word));
        value.reserved = uint64(word >> 160);
        value.finding = Finding(uint8(word >> 224));
    }

    function pack(Outcome memory value) internal pure returns (uint256) {
        return uint256(value.feePaid) | (uint256(value.feeBack) << 64) | (uint256(value.slashed) << 128)
            | (uint256(value.toConsumer) << 192);
    }

    function toOutcome(uint256 word) internal pure returns (Outcome memory value) {
        value.feePaid = uint64(word);
        value.feeBack = uint64(word >> 64);
        value.slashed = uint64(word >> 128);
        value.toConsumer = uint64(word >> 192);
    }

    function pack(Seat memory value) internal pure returns (uint256) {
        return uint256(uint160(value.validator)) | (uint256(value.units) << 160) | (uint256(value.from) << 192)
            | (uint256(value.until) << 224);
    }

    function toSeat(uint256 word) internal pure returns (Seat memory value) {
        value.validator = address(uint160(word));
        value.units = uint32(word >> 160);
        value.from = uint32(word >> 192);
        value.until = uint32(word >> 224);
    }
}
