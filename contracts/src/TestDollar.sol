// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title TestDollar
/// @notice Money of the embedded chain, worth nothing: 6 decimals as the dollar tokens have, made by its owner.
contract TestDollar is ERC20Permit, Ownable {
    constructor(address owner) ERC20("Waag test dollar", "TUSD") ERC20Permit("Waag test dollar") Ownable(owner) {}

    /// @notice Makes `amount` for `to`.
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
