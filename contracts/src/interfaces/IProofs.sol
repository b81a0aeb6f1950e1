// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Drawn, Finding, Outcome, Planted, Proof, Request} from "../NotaryTypes.sol";
import {Order} from "../Types.sol";
import {IDraws} from "./IDraws.sol";

/// @title IProofs
/// @notice The life of a proof. `contracts/README.md` has the table of phases, who may move them, and until when.
/// @dev A party may act up to and including a deadline; what time brings works after it.
interface IProofs {
    /* OPENING */

    /// @notice The consumer has the work of a lease of the market checked, by what its provider committed to there. The fee
    /// for all validators is taken from its balance, and what is missing there from its allowance.
    /// @param order The lease. It must have time left for all windows, see `leadTime`.
    /// @param contact Where validators find the states.
    /// @return id The EIP-712 digest of the request.
    function open(Request memory request, Order calldata order, bytes calldata contact) external returns (bytes32 id);

    /// @notice `open` for a lease of any other network, by the signature of an agent (EIP-712 `Commitment`).
    function openSigned(Request memory request, bytes calldata signature, bytes calldata contact)
        external
        returns (bytes32 id);

    /// @notice Anybody draws segments and validators once the hash of the block of the draw is known. When it is known no
    /// more, fixes another block.
    function draw(Request memory request) external;

    /// @notice Gives the fee back when nobody drew in time. By anybody.
    function abandon(Request memory request) external;

    /* FINDINGS */

    /// @notice A drawn validator commits to what it found, once.
    /// @param hash Of the proof, the caller, what it will reveal, and a salt; see `HashLib.finding`.
    function commitFinding(bytes32 id, bytes32 hash) external;

    /// @notice A validator says what it committed to, once all have, or the time to commit is over.
    /// @param result Keccak-256 of the leaf hashes it computed for its segments, in their order; anything if withheld.
    function revealFinding(bytes32 id, Finding finding, bytes32 result, bytes32 salt) external;

    /// @notice The consumer shows that it planted a state among those checked.
    function openCanary(Request memory request, Planted calldata planted) external;

    /// @notice Anybody shows that the consumer had received every state below the root, by its EIP-712 `Upload` signature.
    function excuse(Request memory request, bytes calldata signature) external;

    /* VIEWS */

    /// @notice The EIP-712 digest of the request, which binds it to its consumer, this contract and this chain.
    function proofId(Request memory request) external view returns (bytes32);

    /// @notice A proof as it stands now: phase and deadline as time has moved them.
    /// @return found All zero if it was never opened.
    /// @return seed From which segments and validators follow; zero until drawn.
    /// @return outcome All zero until concluded.
    /// @return drawn In the order drawn.
    function proof(bytes32 id)
        external
        view
        returns (Proof memory found, bytes32 seed, Outcome memory outcome, Drawn[] memory drawn);

    /// @notice The proof that `consumer` opened for `subject`; zero if none.
    function proofOf(address consumer, bytes32 subject) external view returns (bytes32 id);

    /// @notice The digest that an agent signs to commit.
    function commitmentDigest(bytes32 subject, bytes32 root, uint32 leafCount) external view returns (bytes32);

    /// @notice The digest that a consumer signs when it has received a state.
    function uploadDigest(bytes32 subject, bytes32 root, uint32 leafCount) external view returns (bytes32);

    /// @notice Seconds that a lease must have left when a proof is opened: to draw, to commit, to reveal, to close or
    /// excuse, and to conclude.
    function leadTime() external view returns (uint40);

    /// @notice The rules of the draw.
    function draws() external view returns (IDraws);

    /// @notice The least fee for one validator and one segment.
    function minFee() external view returns (uint64);

    /// @notice Seconds to draw, and again to commit.
    function findingWindow() external view returns (uint32);

    /// @notice Seconds to reveal, and again to close.
    function revealWindow() external view returns (uint32);

    /// @notice Seconds to show receipts.
    function excuseWindow() external view returns (uint32);
}
