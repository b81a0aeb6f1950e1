// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice What a test contract needs of forge.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev forge takes a contract with this for a test contract.
    bool public constant IS_TEST = true;

    /// @dev `value` folded into `least..=most`.
    function bound(uint256 value, uint256 least, uint256 most) internal pure returns (uint256) {
        if (value >= least && value <= most) return value;
        uint256 width = most - least;
        return width == type(uint256).max ? value : least + value % (width + 1);
    }
}
