// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// A contract that does one of everything that a chain must agree on: state, events, every way to fail, block values.
contract Probe {
    error TooLarge(uint256 given, uint256 max);
    error Again();

    event Counted(address indexed by, uint256 indexed step, uint256 value);
    event Noted(bytes32 indexed topic, bytes data);

    uint256 public value;
    mapping(address => uint256) public steps;
    bool public done;

    constructor(uint256 start) payable {
        value = start;
    }

    receive() external payable {}

    function add(uint256 step) external returns (uint256) {
        if (step > 100) revert TooLarge(step, 100);
        value += step;
        steps[msg.sender] += 1;
        emit Counted(msg.sender, step, value);
        return value;
    }

    function note(bytes32 topic, bytes calldata data, uint256 times) external {
        for (uint256 i = 0; i < times; ++i) emit Noted(topic, data);
    }

    function once() external {
        if (done) revert Again();
        done = true;
    }

    function forget() external {
        value = 0;
        steps[msg.sender] = 0;
    }

    function failWithReason() external pure {
        revert("because");
    }

    function failWithPanic(uint256 by) external pure returns (uint256) {
        return 1 / by;
    }

    function failWithNothing() external pure {
        revert();
    }

    function failWithInvalid() external pure {
        assembly {
            invalid()
        }
    }

    function burn() external view {
        for (;;) if (gasleft() < 100) return;
    }

    function spawn(uint256 start) external returns (address) {
        return address(new Leaf(start));
    }

    function send(address payable to) external payable {
        (bool ok,) = to.call{value: msg.value}("");
        require(ok, "refused");
    }

    function surroundings() external view returns (uint256, uint256, uint256, uint256, bytes32) {
        return (block.number, block.chainid, block.basefee, block.gaslimit, blockhash(block.number - 1));
    }

    function randomness() external view returns (uint256) {
        return block.prevrandao;
    }

    function time() external view returns (uint256) {
        return block.timestamp;
    }
}

contract Leaf {
    uint256 public immutable start;

    constructor(uint256 start_) {
        require(start_ != 0, "zero");
        start = start_;
    }
}
