// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Accounts} from "./Accounts.sol";
import {Leases} from "./Leases.sol";
import {Config} from "./Types.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {ErrorsLib} from "./libraries/ErrorsLib.sol";
import {EventsLib} from "./libraries/EventsLib.sol";

/// @title Market
/// @notice The market as it is deployed: accounts, offers and leases in one contract, and what its owner may do.
/// @dev The owner moves no money. It stops new leases, and names another verifier with a delay in which all can leave.
contract Market is Leases, Ownable2Step, IMarket {
    /* IMMUTABLES */

    /// @inheritdoc IMarket
    uint40 public immutable verifierDelay;

    /* STORAGE */

    address private _verifier;
    address private _nextVerifier;
    uint40 private _nextVerifierFrom;

    /* CONSTRUCTOR */

    constructor(address owner, Config memory config)
        Ownable(owner)
        EIP712("Waag", "1")
        Accounts(config.token, config.insurance, config.stakePerUnit, config.unbondingPeriod)
        Leases(config)
    {
        verifierDelay = uint40(config.commitWindow) + config.verdictWindow + config.disputeWindow
        + config.unbondingPeriod;
        _setVerifier(config.verifier);
    }

    /* MONEY */

    /// @inheritdoc IMarket
    function depositWithPermit(uint64 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        // Whoever sees the signature may submit it first; then the allowance is there, which is all that matters.
        try IERC20Permit(token()).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(amount);
    }

    /* ADMINISTRATION */

    /// @inheritdoc IMarket
    function pause() external onlyOwner {
        _pause();
    }

    /// @inheritdoc IMarket
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @inheritdoc IMarket
    function scheduleVerifier(address next) external onlyOwner {
        uint40 from = uint40(block.timestamp) + verifierDelay;
        _nextVerifier = next;
        _nextVerifierFrom = from;
        emit EventsLib.VerifierScheduled(next, from);
    }

    /// @inheritdoc IMarket
    function applyVerifier() external {
        uint40 from = _nextVerifierFrom;
        if (from == 0 || block.timestamp < from) revert ErrorsLib.VerifierNotDue(from);
        address next = _nextVerifier;
        delete _nextVerifier;
        delete _nextVerifierFrom;
        _setVerifier(next);
    }

    /* VIEWS */

    /// @inheritdoc IMarket
    function verifier() public view override(IMarket, Leases) returns (address) {
        return _verifier;
    }

    /// @inheritdoc IMarket
    function scheduledVerifier() external view returns (address next, uint40 from) {
        return (_nextVerifier, _nextVerifierFrom);
    }

    /* INTERNAL */

    function _setVerifier(address next) private {
        emit EventsLib.VerifierChanged(_verifier, next);
        _verifier = next;
    }
}
