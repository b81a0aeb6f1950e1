// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TreeLib} from "../../src/libraries/TreeLib.sol";

/// @notice Trees by their definition, level by level, and ways from their leaves to their roots.
library Leaves {
    /// @dev The leaves of an honest job: states 0 to `count` - 1.
    function ofJob(bytes32 jobHash, uint32 count) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint32 i = 0; i < count; i++) {
            leaves[i] = TreeLib.leafHash(jobHash, i, keccak256(abi.encode("state", jobHash, i)), 0);
        }
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[] memory level = leaves;
        while (level.length > 1) {
            level = parents(level);
        }
        return keccak256(abi.encodePacked(bytes1(0x02), uint64(leaves.length), level[0]));
    }

    function siblings(bytes32[] memory leaves, uint256 position) internal pure returns (bytes32[] memory path) {
        path = new bytes32[](64);
        uint256 used = 0;
        bytes32[] memory level = leaves;
        while (level.length > 1) {
            uint256 other = position ^ 1;
            if (other < level.length) path[used++] = level[other];
            level = parents(level);
            position >>= 1;
        }
        assembly ("memory-safe") {
            mstore(path, used)
        }
    }

    function parents(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < above.length; i++) {
            bytes32 left = level[2 * i];
            bool isAlone = 2 * i + 1 == level.length;
            above[i] = isAlone ? left : keccak256(abi.encodePacked(bytes1(0x01), left, level[2 * i + 1]));
        }
    }
}
