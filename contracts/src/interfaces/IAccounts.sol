// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Account, Unbonding} from "../Types.sol";

/// @title IAccounts
/// @notice Money in, money out, and stake. All payments of the market are credits here, drawn by their owner: nobody
/// can hold up another's payment.
interface IAccounts {
    /// @notice Pulls `amount` of the token from the caller into its balance.
    /// @dev Refuses tokens that deliver less than they were asked for.
    function deposit(uint64 amount) external;

    /// @notice Sends `amount` of the caller's balance to `to`. Works while the market is paused.
    function withdraw(uint64 amount, address to) external;

    /// @notice Moves `amount` from the caller's balance into its stake.
    function stake(uint64 amount) external;

    /// @notice Takes `amount` out of the caller's stake; it becomes balance after the unbonding period.
    /// @dev What backs open leases or offered units stays. Adding to stake that is already on its way starts the
    /// period again for all of it.
    function unbond(uint64 amount) external;

    /// @notice Turns unbonded stake of the caller into balance.
    function claimUnbonded() external;

    /// @notice What `owner` has in the market.
    function account(address owner) external view returns (Account memory);

    /// @notice Stake of `owner` that is on its way out.
    function unbonding(address owner) external view returns (Unbonding memory);

    /// @notice The only token the market takes.
    function token() external view returns (address);

    /// @notice The account that receives what slashes take beyond the shares of the parties.
    function insurance() external view returns (address);

    /// @notice Stake that each offered unit needs.
    function stakePerUnit() external view returns (uint64);

    /// @notice Seconds between `unbond` and `claimUnbonded`.
    function unbondingPeriod() external view returns (uint32);
}
