// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, Request} from "../NotaryTypes.sol";
import {Order} from "../Types.sol";

/// @title HashLib
/// @notice EIP-712 struct hashes of what is signed for the market and the notary.
library HashLib {
    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(address consumer,bytes32 offer,bytes32 jobHash,bytes32 contactHash,uint64 maxPricePerHour,uint32 units,uint32 span,uint40 acceptBy,uint64 salt)"
    );
    bytes32 internal constant DELEGATION_TYPEHASH = keccak256("Delegation(bytes32 lease,address agent)");
    bytes32 internal constant COMMITMENT_TYPEHASH =
        keccak256("Commitment(bytes32 lease,bytes32 root,uint32 leafCount)");
    bytes32 internal constant REQUEST_TYPEHASH = keccak256(
        "Request(address consumer,bytes32 subject,bytes32 jobHash,bytes32 root,uint32 leafCount,uint32 segments,uint32 sample,uint32 validators,uint64 fee,address provider,uint64 salt)"
    );
    bytes32 internal constant UPLOAD_TYPEHASH = keccak256("Upload(bytes32 subject,bytes32 root,uint32 leafCount)");

    /// @dev All members are static, so the encoding of the struct is its calldata. A member with bits outside its type
    /// gives the id of an order that nobody signed, and is refused when it is read.
    function order(Order calldata value) internal pure returns (bytes32 hash) {
        bytes32 typehash = ORDER_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typehash)
            calldatacopy(add(free, 0x20), value, 0x120)
            hash := keccak256(free, 0x140)
        }
    }

    function delegation(bytes32 lease, address agent) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATION_TYPEHASH, lease, agent));
    }

    function commitment(bytes32 lease, bytes32 root, uint32 leafCount) internal pure returns (bytes32) {
        return keccak256(abi.encode(COMMITMENT_TYPEHASH, lease, root, leafCount));
    }

    /// @dev All members are static and fill a word each in memory, so their encoding is the memory of the struct.
    function request(Request memory value) internal pure returns (bytes32 hash) {
        bytes32 typehash = REQUEST_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typehash)
            mcopy(add(free, 0x20), value, 0x160)
            hash := keccak256(free, 0x180)
        }
    }

    function upload(bytes32 subject, bytes32 root, uint32 leafCount) internal pure returns (bytes32) {
        return keccak256(abi.encode(UPLOAD_TYPEHASH, subject, root, leafCount));
    }

    /// @notice What a validator commits to: it cannot be revealed in another's name, or guessed without the salt.
    function finding(bytes32 id, address validator, Finding found, bytes32 result, bytes32 salt)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(id, validator, found, result, salt));
    }
}
