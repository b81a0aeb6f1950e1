// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

contract AnchorTest is NotaryTest {
    bytes32 private constant LOG = keccak256("a log");

    function anchor(address who, uint64 size, bytes32 root) private {
        vm.prank(who);
        notary.anchor(LOG, size, root);
    }

    function test_anchor() external {
        vm.assertEq(notary.anchored(consumer, LOG).root, 0, "none");
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.Anchored(consumer, LOG, 7, ROOT);
        notary.anchor(LOG, 7, ROOT);
        vm.assertEq(notary.anchored(consumer, LOG).size, 7, "size");
        vm.assertEq(notary.anchored(consumer, LOG).root, ROOT, "root");
        // Each has its own logs.
        anchor(stranger, 3, RESULT);
        vm.assertEq(notary.anchored(consumer, LOG).size, 7, "size");
    }

    function test_anchor_zero() external {
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        anchor(consumer, 7, 0);
        // A log may be empty.
        anchor(consumer, 0, ROOT);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.LogRewritten.selector, LOG, 0));
        anchor(consumer, 0, RESULT);
    }

    /// @dev A log that was restored to an older state, or split in two, cannot go on.
    function testFuzz_anchor_neverFallsNorForks(uint64[8] calldata sizes, bytes32[8] calldata roots) external {
        uint64 size = 0;
        bytes32 root = 0;
        for (uint256 i = 0; i < 8; i++) {
            uint64 next = uint64(bound(sizes[i], 0, 20));
            bytes32 at_ = roots[i] | bytes32(uint256(1));
            bool isRefused = next < size || (next == size && root != 0 && root != at_);
            if (isRefused) vm.expectRevert(abi.encodeWithSelector(ErrorsLib.LogRewritten.selector, LOG, size));
            anchor(consumer, next, at_);
            if (!isRefused) (size, root) = (next, at_);
            vm.assertEq(notary.anchored(consumer, LOG).size, size, "size");
            vm.assertEq(notary.anchored(consumer, LOG).root, root, "root");
        }
    }
}
