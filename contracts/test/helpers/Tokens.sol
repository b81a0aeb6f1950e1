// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Anybody may make any amount of it.
contract FreeToken is ERC20("Free", "FREE") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Keeps one hundredth of each transfer.
contract FeeToken is FreeToken {
    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0)) super._update(to, address(0xFEE), amount / 100);
    }
}

/// @notice Burns a tenth of what the receiver held before: a rebase in the middle of a transfer.
contract ShrinkingToken is FreeToken {
    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) super._update(to, address(0), balanceOf(to) / 10);
        super._update(from, to, amount);
    }
}

/// @notice Returns false where it should revert.
contract FalseToken is FreeToken {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// @notice Refuses to pay some receivers.
contract BlockingToken is FreeToken {
    mapping(address => bool) public blocked;

    function setBlocked(address who, bool value) external {
        blocked[who] = value;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!blocked[to], "blocked");
        super._update(from, to, amount);
    }
}

/// @notice Calls a target in the middle of each transfer, as a token with hooks does.
contract ReenteringToken is FreeToken {
    address public target;
    bytes public payload;
    bool public calledBack;
    bool public succeeded;
    bytes public answer;

    function arm(address target_, bytes calldata payload_) external {
        (target, payload, calledBack) = (target_, payload_, false);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (target == address(0)) return;
        address called = target;
        target = address(0);
        calledBack = true;
        (succeeded, answer) = called.call(payload);
    }
}
