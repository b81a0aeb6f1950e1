//! The contracts as their artifacts have them. Written by `cargo xtask bindings`; a change here is lost.

alloy::sol! {
    #[derive(Debug, PartialEq, Eq)]
    struct Account {
        uint64 balance;
        uint64 stake;
        uint64 reserved;
        uint64 offered;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Anchor {
        uint64 size;
        bytes32 root;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Config {
        address token;
        address verifier;
        address insurance;
        uint64 stakePerUnit;
        uint32 reserveBps;
        uint32 unbondingPeriod;
        uint32 commitWindow;
        uint32 verdictWindow;
        uint32 disputeWindow;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Drawn {
        address validator;
        uint64 reserved;
        uint8 finding;
        bytes32 word;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Lease {
        uint8 state;
        uint64 rate;
        uint32 span;
        uint32 used;
        uint40 startedAt;
        uint40 deadline;
        uint32 leafCount;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct NotaryConfig {
        address token;
        address insurance;
        uint64 stakePerUnit;
        uint64 stakePerProof;
        uint64 minFee;
        uint32 unbondingPeriod;
        uint32 drawDelay;
        uint32 findingWindow;
        uint32 revealWindow;
        uint32 excuseWindow;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Offer {
        uint64 pricePerHour;
        uint32 units;
        uint32 leased;
        uint40 availableFrom;
        uint40 availableUntil;
        bool withdrawn;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct OfferTerms {
        uint64 pricePerHour;
        uint32 units;
        uint40 availableFrom;
        uint40 availableUntil;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Order {
        address consumer;
        bytes32 offer;
        bytes32 jobHash;
        bytes32 contactHash;
        uint64 maxPricePerHour;
        uint32 units;
        uint32 span;
        uint40 acceptBy;
        uint64 salt;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Outcome {
        uint64 feePaid;
        uint64 feeBack;
        uint64 slashed;
        uint64 toConsumer;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Penalty {
        uint64 amount;
        uint64 toConsumer;
        uint64 toChallenger;
        address challenger;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Planted {
        bytes32 salt;
        uint64 index;
        uint32 position;
        bytes32 out;
        bytes32[] siblings;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Proof {
        uint8 phase;
        uint8 verdict;
        uint8 validators;
        uint8 committed;
        uint8 same;
        uint8 differs;
        uint8 withheld;
        bool split;
        bool canary;
        bool excused;
        uint40 deadline;
        uint40 drawBlock;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Request {
        address consumer;
        bytes32 subject;
        bytes32 jobHash;
        bytes32 root;
        uint32 leafCount;
        uint32 segments;
        uint32 sample;
        uint32 validators;
        uint64 fee;
        address provider;
        uint64 salt;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Seat {
        address validator;
        uint32 units;
        uint32 from;
        uint32 until;
    }
    #[derive(Debug, PartialEq, Eq)]
    struct Unbonding {
        uint64 amount;
        uint40 releaseAt;
    }
    contract Market {
        constructor(address owner, Config config);
        function accept(Order order) external;
        function acceptOwnership() external;
        function account(address owner) external view returns (Account);
        function applyVerifier() external;
        function cancel(Order order) external;
        function charge(uint64 rate, uint32 used) external pure returns (uint64);
        function claimUnbonded() external;
        function commit(Order order, bytes32 root, uint32 leafCount) external;
        function commitSigned(Order order, bytes32 root, uint32 leafCount, bytes delegation, bytes signature) external;
        function commitWindow() external view returns (uint32);
        function commitmentDigest(bytes32 id, bytes32 root, uint32 leafCount) external view returns (bytes32);
        function createLease(Order order, bytes contact) external returns (bytes32 id);
        function createLeaseFor(Order order, bytes contact, bytes signature) external returns (bytes32 id);
        function delegationDigest(bytes32 id, address agent) external view returns (bytes32);
        function deposit(uint64 amount) external;
        function depositWithPermit(uint64 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
        function dispute(Order order) external;
        function disputeWindow() external view returns (uint32);
        function eip712Domain() external view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions);
        function end(Order order) external;
        function escrowOf(bytes32 id) external view returns (uint64);
        function expire(Order order) external;
        function extend(Order order, uint32 extra) external;
        function insurance() external view returns (address);
        function lease(bytes32 id) external view returns (Lease);
        function leaseId(Order order) external view returns (bytes32);
        function offer(bytes32 id) external view returns (Offer);
        function offerId(address provider, uint96 salt) external pure returns (bytes32);
        function owner() external view returns (address);
        function pause() external;
        function paused() external view returns (bool);
        function pendingOwner() external view returns (address);
        function postOffer(uint96 salt, OfferTerms terms, bytes spec) external returns (bytes32 id);
        function refund(Order order) external;
        function renounceOwnership() external;
        function reserveBps() external view returns (uint32);
        function reserveOf(bytes32 id) external view returns (uint64);
        function rootOf(bytes32 id) external view returns (bytes32);
        function scheduleVerifier(address next) external;
        function scheduledVerifier() external view returns (address next, uint40 from);
        function settle(Order order) external;
        function slash(Order order, Penalty penalty) external;
        function specHashOf(bytes32 id) external view returns (bytes32);
        function stake(uint64 amount) external;
        function stakePerUnit() external view returns (uint64);
        function token() external view returns (address);
        function transferOwnership(address newOwner) external;
        function unbond(uint64 amount) external;
        function unbonding(address owner) external view returns (Unbonding);
        function unbondingPeriod() external view returns (uint32);
        function unpause() external;
        function verdictWindow() external view returns (uint32);
        function verifier() external view returns (address);
        function verifierDelay() external view returns (uint40);
        function withdraw(uint64 amount, address to) external;
        function withdrawOffer(bytes32 id) external;
        event Deposited(address indexed owner, uint64 amount);
        event EIP712DomainChanged();
        event LeaseAccepted(bytes32 indexed id, uint64 reserved);
        event LeaseCancelled(bytes32 indexed id, uint64 refunded, uint8 cause);
        event LeaseCommitted(bytes32 indexed id, bytes32 root, uint32 leafCount, address signer, uint32 used, uint64 refunded);
        event LeaseCreated(bytes32 indexed id, address indexed consumer, bytes32 indexed offer, uint64 escrow, Order order, bytes contact);
        event LeaseDisputed(bytes32 indexed id, uint40 deadline);
        event LeaseEnded(bytes32 indexed id, uint32 used, uint64 refunded, uint8 cause);
        event LeaseExtended(bytes32 indexed id, uint32 span, uint64 paid, uint64 reserved);
        event LeaseRefunded(bytes32 indexed id, uint64 refunded, uint8 cause);
        event LeaseSettled(bytes32 indexed id, uint64 paid, uint8 cause);
        event LeaseSlashed(bytes32 indexed id, uint64 refunded, Penalty penalty, uint64 toInsurance);
        event OfferPosted(bytes32 indexed id, address indexed provider, OfferTerms terms, bytes spec);
        event OfferWithdrawn(bytes32 indexed id);
        event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);
        event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
        event Paused(address account);
        event Staked(address indexed provider, uint64 amount);
        event Unbonded(address indexed provider, uint64 amount);
        event UnbondingStarted(address indexed provider, uint64 amount, uint64 total, uint40 releaseAt);
        event Unpaused(address account);
        event VerifierChanged(address indexed previous, address indexed next);
        event VerifierScheduled(address indexed next, uint40 from);
        event Withdrawn(address indexed owner, address indexed to, uint64 amount);
        error ECDSAInvalidSignature();
        error ECDSAInvalidSignatureLength(uint256 length);
        error ECDSAInvalidSignatureS(bytes32 s);
        error EnforcedPause();
        error ExpectedPause();
        error InsufficientBalance(address owner, uint64 available, uint64 needed);
        error InsufficientStake(address provider, uint64 stake, uint256 needed);
        error InvalidShortString();
        error NotEnoughUnits(bytes32 id, uint32 free, uint32 asked);
        error NotReleased(uint40 releaseAt);
        error OfferExists(bytes32 id);
        error OfferNotAvailable(bytes32 id);
        error OutsideWindow(uint40 from, uint40 until);
        error OwnableInvalidOwner(address owner);
        error OwnableUnauthorizedAccount(address account);
        error PenaltyTooHigh(uint64 amount, uint64 reserve);
        error PriceTooHigh(uint64 pricePerHour, uint64 maxPricePerHour);
        error ReentrancyGuardReentrantCall();
        error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value);
        error SafeERC20FailedOperation(address token);
        error SharesTooHigh(uint256 shares, uint64 max);
        error StringTooLong(string str);
        error TokenDelivered(uint256 received, uint256 expected);
        error TooEarly(uint40 deadline);
        error TooLate(uint40 deadline);
        error TooLong(uint256 value, uint256 max);
        error TooMuchMoney(uint256 total);
        error Unauthorized(address caller);
        error VerifierNotDue(uint40 from);
        error WrongContact(bytes32 contactHash);
        error WrongSignature(address signer);
        error WrongState(bytes32 id, uint8 state);
        error ZeroValue();
    }
    contract Notary {
        constructor(NotaryConfig config);
        function abandon(Request request) external;
        function account(address owner) external view returns (Account);
        function anchor(bytes32 log, uint64 size, bytes32 root) external;
        function anchored(address sender, bytes32 log) external view returns (Anchor);
        function bind(address served) external;
        function claimUnbonded() external;
        function commitFinding(bytes32 id, bytes32 hash) external;
        function commitmentDigest(bytes32 subject, bytes32 root, uint32 leafCount) external view returns (bytes32);
        function conclude(Request request, Order order) external;
        function concludeSigned(Request request) external;
        function depart(address validator) external;
        function deposit(uint64 amount) external;
        function domainSeparator() external view returns (bytes32);
        function draw(Request request) external;
        function drawDelay() external view returns (uint32);
        function draws() external view returns (address);
        function excuse(Request request, bytes signature) external;
        function excuseWindow() external view returns (uint32);
        function findingWindow() external view returns (uint32);
        function insurance() external view returns (address);
        function join(uint32 units) external;
        function leadTime() external view returns (uint40);
        function leave() external;
        function market() external view returns (address);
        function minFee() external view returns (uint64);
        function open(Request request, Order order, bytes contact) external returns (bytes32);
        function openCanary(Request request, Planted planted) external;
        function openSigned(Request request, bytes signature, bytes contact) external returns (bytes32);
        function proof(bytes32 id) external view returns (Proof found, bytes32 seed, Outcome outcome, Drawn[] drawn);
        function proofId(Request request) external view returns (bytes32);
        function proofOf(address consumer, bytes32 subject) external view returns (bytes32 id);
        function revealFinding(bytes32 id, uint8 finding, bytes32 result, bytes32 salt) external;
        function revealWindow() external view returns (uint32);
        function seats() external view returns (Seat[] all);
        function stake(uint64 amount) external;
        function stakePerProof() external view returns (uint64);
        function stakePerUnit() external view returns (uint64);
        function token() external view returns (address);
        function unbond(uint64 amount) external;
        function unbonding(address owner) external view returns (Unbonding);
        function unbondingPeriod() external view returns (uint32);
        function uploadDigest(bytes32 subject, bytes32 root, uint32 leafCount) external view returns (bytes32);
        function withdraw(uint64 amount, address to) external;
        event Anchored(address indexed sender, bytes32 indexed log, uint64 size, bytes32 root);
        event Bound(address indexed market);
        event CanaryOpened(bytes32 indexed id, uint32 position);
        event Deposited(address indexed owner, uint64 amount);
        event FindingCommitted(bytes32 indexed id, address indexed validator);
        event FindingRevealed(bytes32 indexed id, address indexed validator, uint8 finding, bytes32 result);
        event ProofAbandoned(bytes32 indexed id, uint64 feeBack);
        event ProofConcluded(bytes32 indexed id, uint8 verdict, uint64 feePaid, uint64 feeBack, uint64 slashed, uint64 toConsumer);
        event ProofDelayed(bytes32 indexed id, uint40 drawBlock);
        event ProofDrawn(bytes32 indexed id, bytes32 seed, address[] validators, uint40 deadline);
        event ProofExcused(bytes32 indexed id);
        event ProofOpened(bytes32 indexed id, address indexed consumer, bytes32 indexed subject, Request request, uint40 drawBlock, address agent, bytes contact);
        event Staked(address indexed provider, uint64 amount);
        event Unbonded(address indexed provider, uint64 amount);
        event UnbondingStarted(address indexed provider, uint64 amount, uint64 total, uint40 releaseAt);
        event ValidatorDeparted(address indexed validator, uint256 seat);
        event ValidatorJoined(address indexed validator, uint256 seat, uint32 units);
        event ValidatorLeft(address indexed validator, uint256 seat);
        event ValidatorSlashed(bytes32 indexed id, address indexed validator, uint64 amount);
        event Withdrawn(address indexed owner, address indexed to, uint64 amount);
        error AlreadySeated(address validator);
        error BlockNotReached(uint256 from);
        error ECDSAInvalidSignature();
        error ECDSAInvalidSignatureLength(uint256 length);
        error ECDSAInvalidSignatureS(bytes32 s);
        error FeeTooLow(uint64 fee, uint64 min);
        error InsufficientBalance(address owner, uint64 available, uint64 needed);
        error InsufficientStake(address provider, uint64 stake, uint256 needed);
        error LogRewritten(bytes32 log, uint64 size);
        error NoSeatFree();
        error NotDrawn(uint256 segment);
        error NotEnoughValidators(uint256 eligible, uint256 wanted);
        error NotReleased(uint40 releaseAt);
        error NotSeated(address validator);
        error NothingToSay(address caller);
        error ProofExists(bytes32 id);
        error ReentrancyGuardReentrantCall();
        error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value);
        error SafeERC20FailedOperation(address token);
        error TokenDelivered(uint256 received, uint256 expected);
        error TooEarly(uint40 deadline);
        error TooLate(uint40 deadline);
        error TooMany(uint256 value, uint256 max);
        error TooMuchMoney(uint256 total);
        error Unauthorized(address caller);
        error WrongConfig();
        error WrongLeaf(uint256 position);
        error WrongLeafCount(uint32 leafCount, uint32 segments);
        error WrongMarket(address market);
        error WrongPhase(bytes32 id, uint8 phase);
        error WrongReveal();
        error WrongSignature(address signer);
        error WrongState(bytes32 id, uint8 state);
        error WrongSubject(bytes32 subject);
        error ZeroValue();
    }
    contract TestDollar {
        constructor(address owner);
        function DOMAIN_SEPARATOR() external view returns (bytes32);
        function allowance(address owner, address spender) external view returns (uint256);
        function approve(address spender, uint256 value) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
        function decimals() external pure returns (uint8);
        function eip712Domain() external view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions);
        function mint(address to, uint256 amount) external;
        function name() external view returns (string);
        function nonces(address owner) external view returns (uint256);
        function owner() external view returns (address);
        function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
        function renounceOwnership() external;
        function symbol() external view returns (string);
        function totalSupply() external view returns (uint256);
        function transfer(address to, uint256 value) external returns (bool);
        function transferFrom(address from, address to, uint256 value) external returns (bool);
        function transferOwnership(address newOwner) external;
        event Approval(address indexed owner, address indexed spender, uint256 value);
        event EIP712DomainChanged();
        event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
        event Transfer(address indexed from, address indexed to, uint256 value);
        error ECDSAInvalidSignature();
        error ECDSAInvalidSignatureLength(uint256 length);
        error ECDSAInvalidSignatureS(bytes32 s);
        error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed);
        error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed);
        error ERC20InvalidApprover(address approver);
        error ERC20InvalidReceiver(address receiver);
        error ERC20InvalidSender(address sender);
        error ERC20InvalidSpender(address spender);
        error ERC2612ExpiredSignature(uint256 deadline);
        error ERC2612InvalidSigner(address signer, address owner);
        error InvalidAccountNonce(address account, uint256 currentNonce);
        error InvalidShortString();
        error OwnableInvalidOwner(address owner);
        error OwnableUnauthorizedAccount(address account);
        error StringTooLong(string str);
    }
}
