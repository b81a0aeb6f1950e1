// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OfferId} from "../Types.sol";

/// @title OfferIdLib
/// @notice Puts an offer's id together and takes it apart.
library OfferIdLib {
    /// @notice The id of the offer that `owner` posts under `salt`.
    function from(address owner, uint96 salt) internal pure returns (OfferId) {
        return OfferId.wrap(bytes32((uint256(uint160(owner)) << 96) | salt));
    }

    /// @notice Whose offer it is.
    function provider(OfferId id) internal pure returns (address) {
        return address(uint160(uint256(OfferId.unwrap(id)) >> 96));
    }
}
