// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title ChargeLib
/// @notice The price of time and the stake behind it. Both round up, and neither falls when the time grows.
library ChargeLib {
    uint256 internal constant SECONDS_PER_HOUR = 3600;
    uint256 internal constant BPS = 10_000;

    /// @notice What `used` seconds cost at `rate` an hour.
    function charge(uint64 rate, uint32 used) internal pure returns (uint64) {
        return SafeCast.toUint64(Math.ceilDiv(uint256(rate) * used, SECONDS_PER_HOUR));
    }

    /// @notice `price` in the ratio of `bps` ten-thousandths.
    function reserve(uint64 price, uint32 bps) internal pure returns (uint64) {
        return SafeCast.toUint64(Math.ceilDiv(uint256(price) * bps, BPS));
    }
}
