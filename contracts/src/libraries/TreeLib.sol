// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title TreeLib
/// @notice The positioned Merkle tree of `crates/evidence/src/tree.rs`: leaves, inner nodes and roots have tags of their own,
/// a node without a neighbour moves up as it is, and the root binds the number of leaves.
library TreeLib {
    /// @notice State `index` of a job, or the outputs after the last state.
    function leafHash(bytes32 jobHash, uint64 index, bytes32 state, bytes32 out) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), jobHash, index, state, out));
    }

    /// @notice The digest of a state that was planted, which no computation gives.
    function plantedState(bytes32 salt, uint64 index) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("CANARY/1", salt, index));
    }

    /// @notice Whether the tree of `count` leaves with this root has `leaf` at `position`.
    /// @dev Siblings come from the leaf upwards, exactly as many as there are.
    function includes(bytes32 root, uint32 count, uint32 position, bytes32 leaf, bytes32[] calldata siblings)
        internal
        pure
        returns (bool)
    {
        if (position >= count) return false;
        uint256 used = 0;
        uint32 last = count - 1;
        bytes32 node = leaf;
        while (last != 0) {
            bool isRight = position & 1 == 1;
            if (isRight || position != last) {
                if (used == siblings.length) return false;
                bytes32 sibling = siblings[used++];
                node = isRight ? inner(sibling, node) : inner(node, sibling);
            }
            position >>= 1;
            last >>= 1;
        }
        return used == siblings.length && keccak256(abi.encodePacked(bytes1(0x02), uint64(count), node)) == root;
    }

    function inner(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
