// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TreeLib} from "../../src/libraries/TreeLib.sol";
import {Leaves} from "../helpers/Leaves.sol";
import {Test} from "../helpers/Test.sol";

/// @notice Ways from leaves to roots, and what must not pass for one.
contract EvidenceTest is Test {
    bytes32 private constant JOB = keccak256("job");

    function includes(bytes32 root, uint32 count, uint32 position, bytes32 leaf, bytes32[] calldata siblings)
        external
        pure
        returns (bool)
    {
        return TreeLib.includes(root, count, position, leaf, siblings);
    }

    function isIn(bytes32[] memory leaves, uint32 position) private view returns (bool) {
        bytes32[] memory siblings = Leaves.siblings(leaves, position);
        return this.includes(Leaves.root(leaves), uint32(leaves.length), position, leaves[position], siblings);
    }

    function test_everyLeafIsIncluded() external view {
        for (uint32 count = 1; count < 40; count++) {
            bytes32[] memory leaves = Leaves.ofJob(JOB, count);
            for (uint32 position = 0; position < count; position++) {
                vm.assertTrue(isIn(leaves, position), "included");
            }
        }
    }

    /// @dev The root that `crates/evidence` has for three leaves of this job: equal formulas on both sides.
    function test_knownRoot() external pure {
        bytes32[] memory leaves = new bytes32[](3);
        for (uint64 i = 0; i < 3; i++) {
            leaves[i] = TreeLib.leafHash(bytes32(uint256(7)), i, bytes32(uint256(i + 1)), 0);
        }
        vm.assertEq(Leaves.root(leaves), 0x9dc573cf26a53adaee704f6b39b12e8557f58a4891ca3698b29cc26f925b7615, "root");
    }

    function testFuzz_wrongIndex(uint32 count, uint32 position, uint32 other) external view {
        count = uint32(bound(count, 1, 200));
        position = uint32(bound(position, 0, count - 1));
        bytes32[] memory leaves = Leaves.ofJob(JOB, count);
        vm.assume(other != position);
        bool isThere =
            this.includes(Leaves.root(leaves), count, other, leaves[position], Leaves.siblings(leaves, position));
        vm.assertTrue(!isThere, "at another position");
    }

    function testFuzz_wrongCount(uint32 count, uint32 position, uint32 other) external view {
        count = uint32(bound(count, 1, 200));
        position = uint32(bound(position, 0, count - 1));
        bytes32[] memory leaves = Leaves.ofJob(JOB, count);
        vm.assume(other != count);
        bool isThere =
            this.includes(Leaves.root(leaves), other, position, leaves[position], Leaves.siblings(leaves, position));
        vm.assertTrue(!isThere, "in a tree of another size");
    }

    /// @dev An inner node is no leaf, a leaf is no inner node, and the top is no root.
    function test_secondPreimage() external view {
        bytes32[] memory leaves = Leaves.ofJob(JOB, 4);
        bytes32 left = keccak256(abi.encodePacked(bytes1(0x01), leaves[0], leaves[1]));
        bytes32 right = keccak256(abi.encodePacked(bytes1(0x01), leaves[2], leaves[3]));
        bytes32[] memory path = new bytes32[](1);
        path[0] = right;
        vm.assertTrue(!this.includes(Leaves.root(leaves), 4, 0, left, path), "an inner node at a leaf's place");
        vm.assertTrue(
            !this.includes(Leaves.root(leaves), 2, 0, left, path), "an inner node as a leaf of a smaller tree"
        );
        bytes32[] memory inner = new bytes32[](2);
        (inner[0], inner[1]) = (left, right);
        vm.assertTrue(Leaves.root(inner) != Leaves.root(leaves), "a tree of inner nodes");
        bytes32 top = keccak256(abi.encodePacked(bytes1(0x01), left, right));
        vm.assertTrue(!this.includes(top, 4, 0, leaves[0], Leaves.siblings(leaves, 0)), "a top as a root");
    }

    /// @dev An odd leaf moves up as it is. One that is doubled makes another tree, as in CVE-2012-2459.
    function test_oddLeafDoubled() external view {
        for (uint32 count = 1; count < 20; count += 2) {
            bytes32[] memory leaves = Leaves.ofJob(JOB, count);
            bytes32[] memory doubled = new bytes32[](count + 1);
            for (uint256 i = 0; i <= count; i++) {
                doubled[i] = leaves[i < count ? i : count - 1];
            }
            vm.assertTrue(Leaves.root(doubled) != Leaves.root(leaves), "root");
            bytes32[] memory path = Leaves.siblings(doubled, count);
            bytes32 last = leaves[count - 1];
            vm.assertTrue(!this.includes(Leaves.root(leaves), count + 1, count, last, path), "beyond the end");
            vm.assertTrue(!this.includes(Leaves.root(leaves), count, count, last, path), "at no position");
        }
    }

    /// @dev A state of another job, or of another place in the same one, has another leaf.
    function testFuzz_leafOfAnotherJob(bytes32 job, uint64 index, bytes32 state, bytes32 other) external pure {
        vm.assume(job != other);
        bytes32 leaf = TreeLib.leafHash(job, index, state, 0);
        vm.assertTrue(leaf != TreeLib.leafHash(other, index, state, 0), "job");
        vm.assertTrue(leaf != TreeLib.leafHash(job, index ^ 1, state, 0), "index");
        vm.assertTrue(leaf != TreeLib.leafHash(job, index, 0, state) || state == 0, "outputs");
    }

    function testFuzz_siblings(uint32 count, uint32 position, uint256 luck) external view {
        count = uint32(bound(count, 2, 200));
        position = uint32(bound(position, 0, count - 1));
        bytes32[] memory leaves = Leaves.ofJob(JOB, count);
        bytes32 root = Leaves.root(leaves);
        bytes32[] memory path = Leaves.siblings(leaves, position);
        bytes32[] memory shorter = new bytes32[](path.length - 1);
        bytes32[] memory longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; i++) {
            longer[i] = path[i];
            if (i < shorter.length) shorter[i] = path[i];
        }
        vm.assertTrue(!this.includes(root, count, position, leaves[position], shorter), "one too few");
        vm.assertTrue(!this.includes(root, count, position, leaves[position], longer), "one too many");
        path[luck % path.length] ^= bytes32(luck | 1);
        vm.assertTrue(!this.includes(root, count, position, leaves[position], path), "another one");
    }
}
