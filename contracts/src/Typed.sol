// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Typed
/// @notice The EIP-712 domain of a contract that has no room for OpenZeppelin's, which tells name and version too.
abstract contract Typed {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    bytes32 private immutable _nameHash;
    bytes32 private immutable _versionHash;
    bytes32 private immutable _separator;
    uint256 private immutable _chainId;

    constructor(string memory name, string memory version) {
        _nameHash = keccak256(bytes(name));
        _versionHash = keccak256(bytes(version));
        _chainId = block.chainid;
        _separator = _build();
    }

    /// @notice The domain separator, under which everything is signed.
    function domainSeparator() public view returns (bytes32) {
        // After a split of the chain, the other part has another id.
        return block.chainid == _chainId ? _separator : _build();
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domainSeparator(), structHash);
    }

    function _build() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, _nameHash, _versionHash, block.chainid, address(this)));
    }
}
