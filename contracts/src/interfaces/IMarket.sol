// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccounts} from "./IAccounts.sol";
import {ILeases} from "./ILeases.sol";
import {IOffers} from "./IOffers.sol";

/// @title IMarket
/// @notice Offers of compute, leases with escrow, and the stake behind them.
interface IMarket is IAccounts, IOffers, ILeases {
    /// @notice `deposit` with an EIP-2612 signature in place of an earlier approval.
    /// @dev A permit that somebody else has already submitted does no harm.
    function depositWithPermit(uint64 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice The owner stops new leases: creation and acceptance. Everything else goes on.
    function pause() external;

    /// @notice The owner lets new leases begin again.
    function unpause() external;

    /// @notice The owner announces another verifier.
    function scheduleVerifier(address next) external;

    /// @notice Anybody puts the announced verifier in place after `verifierDelay`.
    function applyVerifier() external;

    /// @notice The party whose verdicts count; zero for none.
    function verifier() external view returns (address);

    /// @notice The announced verifier and the moment from which it may be put in place; 0 if none is announced.
    function scheduledVerifier() external view returns (address next, uint40 from);

    /// @notice Seconds in which every lease can end and run through its windows, and every stake leave, before another
    /// verifier judges.
    function verifierDelay() external view returns (uint40);
}
