// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IDraws
/// @notice Who replays what, from a seed alone. Anybody can compute it again.
interface IDraws {
    /// @notice The segments to replay out of `count`, in order: the first, the last, and `sample` of those between.
    function segments(bytes32 seed, uint32 count, uint32 sample) external pure returns (uint32[] memory);

    /// @notice Positions in `stakes` of `wanted` different validators, or of all with stake, in the order drawn.
    function validators(bytes32 seed, uint64[] calldata stakes, uint256 wanted) external pure returns (uint256[] memory);
}
