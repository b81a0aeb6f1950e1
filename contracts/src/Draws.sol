// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDraws} from "./interfaces/IDraws.sol";
import {DrawLib} from "./libraries/DrawLib.sol";

/// @title Draws
/// @notice The rules of the draw, for everybody to ask. A notary makes one for itself, for the two would not fit into one
/// contract.
contract Draws is IDraws {
    /// @inheritdoc IDraws
    function segments(bytes32 seed, uint32 count, uint32 sample) external pure returns (uint32[] memory) {
        return DrawLib.segments(seed, count, sample);
    }

    /// @inheritdoc IDraws
    function validators(bytes32 seed, uint64[] calldata stakes, uint256 wanted)
        external
        pure
        returns (uint256[] memory)
    {
        return DrawLib.validators(seed, stakes, wanted);
    }
}
