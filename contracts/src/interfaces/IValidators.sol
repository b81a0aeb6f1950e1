// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Seat} from "../NotaryTypes.sol";

/// @title IValidators
/// @notice Who may be drawn. Each validator has one seat, and weighs what its units demand of its stake.
interface IValidators {
    /// @notice The caller takes a seat with `units`, for which its stake has to suffice. It may be drawn for proofs opened
    /// from this block on.
    function join(uint32 units) external;

    /// @notice The caller is drawn for no proof opened after this block. Its units bind its stake until `depart`.
    function leave() external;

    /// @notice Anybody frees the seat of a validator that has left, once no draw can fall on it any more.
    function depart(address validator) external;

    /// @notice All seats by their numbers, the free ones too.
    function seats() external view returns (Seat[] memory);

    /// @notice Blocks between the opening of a proof and the one whose hash draws.
    function drawDelay() external view returns (uint32);

    /// @notice Stake reserved of each drawn validator, as far as it is there.
    function stakePerProof() external view returns (uint64);
}
