// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchor, Request} from "../NotaryTypes.sol";
import {Order} from "../Types.sol";
import {IAccounts} from "./IAccounts.sol";
import {IMarket} from "./IMarket.sol";
import {IProofs} from "./IProofs.sol";
import {IValidators} from "./IValidators.sol";

/// @title INotary
/// @notice Has work checked by validators drawn after the fact, and gives the verdicts of a market.
interface INotary is IAccounts, IValidators, IProofs {
    /// @notice The deployer names the market, once. Its verifier must be this contract, and its windows long enough.
    function bind(IMarket served) external;

    /// @notice Anybody brings the findings on a lease of the market to their end there. The consumer may as soon as all is
    /// said, others when its time to show a canary is over.
    function conclude(Request memory request, Order calldata order) external;

    /// @notice `conclude` for a lease outside the market: nothing moves but fee and stakes of validators.
    function concludeSigned(Request memory request) external;

    /// @notice Writes down how far a log of the caller has come. Its size never falls, and one size has one root.
    function anchor(bytes32 log, uint64 size, bytes32 root) external;

    /// @notice How far a log had come when `sender` last wrote it down, all zero if it never did.
    function anchored(address sender, bytes32 log) external view returns (Anchor memory);

    /// @notice The market whose verdicts are given here; zero until bound.
    function market() external view returns (IMarket);
}
