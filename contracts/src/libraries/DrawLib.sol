// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title DrawLib
/// @notice Who replays what. `crates/evidence/src/draw.rs` computes the same.
library DrawLib {
    /// @dev No validator counts for more than this part of the stake, or its fair share where there are few.
    uint256 private constant CAP_PARTS = 10;

    /// @notice The seed of a draw: randomness, the job, and the root that was committed to before.
    function seedOf(bytes32 randomness, bytes32 jobHash, bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("SEED/1", randomness, jobHash, root));
    }

    /// @notice How many segments each validator replays: the first, the last, and `sample` of those between.
    function replayed(uint32 count, uint32 sample) internal pure returns (uint256) {
        return count < 2 ? count : Math.min(sample, count - 2) + 2;
    }

    /// @notice The segments to replay out of `count`, in order.
    /// @dev Floyd's algorithm; a candidate that was drawn before gives way to the greatest so far, so that one goes last.
    function segments(bytes32 seed, uint32 count, uint32 sample) internal pure returns (uint32[] memory drawn) {
        uint256 total = replayed(count, sample);
        drawn = new uint32[](total);
        if (total == count) {
            for (uint32 i = 0; i < count; i++) {
                drawn[i] = i;
            }
            return drawn;
        }
        bytes32 stream = keccak256(abi.encodePacked("SEG/1", seed));
        uint256 greatest = uint256(count) - total;
        for (uint256 filled = 1; filled < total - 1; filled++) {
            greatest++;
            uint32 candidate = uint32(below(stream, filled - 1, greatest) + 1);
            if (!insert(drawn, filled, candidate)) drawn[filled] = uint32(greatest);
        }
        drawn[total - 1] = count - 1;
    }

    /// @notice Positions in `stakes` of `wanted` different validators, or of all with stake, in the order drawn: each with a
    /// probability in proportion to its capped stake.
    function validators(bytes32 seed, uint64[] memory stakes, uint256 wanted)
        internal
        pure
        returns (uint256[] memory drawn)
    {
        (uint256[] memory weights, uint256 holders) = capped(stakes);
        bytes32 stream = keccak256(abi.encodePacked("VAL/1", seed));
        drawn = new uint256[](Math.min(wanted, holders));
        for (uint256 i = 0; i < drawn.length; i++) {
            uint256 left = below(stream, i, sum(weights));
            uint256 hit = 0;
            while (left >= weights[hit]) {
                left -= weights[hit];
                hit++;
            }
            weights[hit] = 0;
            drawn[i] = hit;
        }
    }

    /// @dev A number below `bound`, which fits 64 bits and is not 0.
    function below(bytes32 stream, uint256 counter, uint256 bound) private pure returns (uint256) {
        bytes32 word = keccak256(abi.encodePacked("SEL/1", stream, uint64(counter)));
        return (uint256(word) >> 128) % bound;
    }

    /// @dev Puts `value` into the first `filled` members, which are in order, unless it is there.
    function insert(uint32[] memory sorted, uint256 filled, uint32 value) private pure returns (bool) {
        uint256 place = filled;
        while (sorted[place - 1] > value) {
            place--;
        }
        if (sorted[place - 1] == value) return false;
        for (uint256 i = filled; i > place; i--) {
            sorted[i] = sorted[i - 1];
        }
        sorted[place] = value;
        return true;
    }

    /// @dev What of each stake counts, and how many have any.
    function capped(uint64[] memory stakes) private pure returns (uint256[] memory weights, uint256 holders) {
        uint256 total = 0;
        for (uint256 i = 0; i < stakes.length; i++) {
            total += stakes[i];
            if (stakes[i] != 0) holders++;
        }
        weights = new uint256[](stakes.length);
        if (holders == 0) return (weights, 0);
        uint256 cap = Math.max(Math.max(total / CAP_PARTS, total / holders), 1);
        for (uint256 i = 0; i < stakes.length; i++) {
            weights[i] = Math.min(stakes[i], cap);
        }
    }

    /// @dev At most what 64 bits hold, as the stakes of one token cannot be more.
    function sum(uint256[] memory weights) private pure returns (uint256 total) {
        for (uint256 i = 0; i < weights.length; i++) {
            total += weights[i];
        }
        return Math.min(total, type(uint64).max);
    }
}
