// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";
import {Notary} from "../../src/Notary.sol";
import {NotaryConfig} from "../../src/NotaryTypes.sol";
import {TestDollar} from "../../src/TestDollar.sol";
import {Config} from "../../src/Types.sol";
import {Vm} from "./Vm.sol";

/// @notice What a test contract needs of forge.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev forge takes a contract with this for a test contract.
    bool public constant IS_TEST = true;

    /// @dev The committed artifact, which is what others deploy; the source where its coverage is measured.
    function deployMarket(address owner, Config memory config) internal returns (Market) {
        if (fromSource()) return new Market(owner, config);
        return Market(deploy("artifacts/Market.json", abi.encode(owner, config)));
    }

    function deployNotary(NotaryConfig memory config) internal returns (Notary) {
        if (fromSource()) return new Notary(config);
        return Notary(deploy("artifacts/Notary.json", abi.encode(config)));
    }

    function deployTestDollar(address owner) internal returns (TestDollar) {
        if (fromSource()) return new TestDollar(owner);
        return TestDollar(deploy("artifacts/TestDollar.json", abi.encode(owner)));
    }

    function fromSource() private view returns (bool) {
        return vm.envOr("CONTRACTS_FROM_SOURCE", false);
    }

    function deploy(string memory artifact, bytes memory arguments) private returns (address deployed) {
        bytes memory code = vm.parseJsonBytes(vm.readFile(artifact), ".bytecode");
        bytes memory creation = abi.encodePacked(code, arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(creation, 0x20), mload(creation))
            if iszero(deployed) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    /// @dev `value` folded into `least..=most`.
    function bound(uint256 value, uint256 least, uint256 most) internal pure returns (uint256) {
        if (value >= least && value <= most) return value;
        uint256 width = most - least;
        return width == type(uint256).max ? value : least + value % (width + 1);
    }
}
