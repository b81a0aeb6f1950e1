-- Time is milliseconds since the epoch, money is micro-dollars, ids are their text form.
-- `seq` counts the rows of one job from 1 in the order in which they were written, which neither a clock that is set back
-- nor an id made of random bits can tell.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE ownership (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL
);

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    funded BIGINT NOT NULL CHECK (funded >= 0),
    available BIGINT NOT NULL CHECK (available >= 0),
    held BIGINT NOT NULL CHECK (held >= 0),
    posted BIGINT NOT NULL CHECK (posted >= 0),
    CHECK (funded = available + held + posted)
);

-- A hold is set aside from an account for a job (parent null) or from a job's hold for a lease.
CREATE TABLE hold (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (id),
    job TEXT NOT NULL,
    parent TEXT REFERENCES hold (id),
    lease TEXT,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    posted BIGINT NOT NULL DEFAULT 0 CHECK (posted >= 0),
    voided BIGINT NOT NULL DEFAULT 0 CHECK (voided >= 0),
    lent BIGINT NOT NULL DEFAULT 0 CHECK (lent >= 0),
    open BIGINT NOT NULL DEFAULT 1 CHECK (open IN (0, 1)),
    CHECK (posted + voided + lent <= amount),
    CHECK (open = 1 OR (posted + voided = amount AND lent = 0))
);
CREATE INDEX hold_parent ON hold (parent) WHERE parent IS NOT NULL;

CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    account TEXT NOT NULL,
    hold TEXT,
    kind TEXT NOT NULL,
    amount BIGINT NOT NULL
);

CREATE TABLE job (
    id TEXT PRIMARY KEY,
    key TEXT UNIQUE,
    request_digest TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    spec TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    fail_reason TEXT,
    generation BIGINT NOT NULL DEFAULT 0,
    submitted_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    ended_at BIGINT,
    due_at BIGINT NOT NULL,
    plan_at BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    current TEXT,
    segments BIGINT NOT NULL,
    segments_done BIGINT NOT NULL DEFAULT 0,
    hold TEXT NOT NULL REFERENCES hold (id),
    bundle TEXT NOT NULL,
    bundle_content BLOB NOT NULL,
    inputs TEXT,
    outputs TEXT,
    waiting_for TEXT,
    waiting_since BIGINT
);
CREATE INDEX job_due ON job (due_at) WHERE state <> 'settled';
CREATE INDEX job_plan ON job (plan_at) WHERE plan_at IS NOT NULL;
CREATE INDEX job_submitted ON job (submitted_at);

CREATE TABLE placement (
    id TEXT PRIMARY KEY,
    job TEXT NOT NULL REFERENCES job (id),
    seq BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    plan TEXT NOT NULL,
    UNIQUE (job, seq)
);

CREATE TABLE lease (
    id TEXT PRIMARY KEY,
    job TEXT NOT NULL REFERENCES job (id),
    seq BIGINT NOT NULL,
    execution TEXT NOT NULL,
    network TEXT NOT NULL,
    offer TEXT NOT NULL,
    interruptible BIGINT NOT NULL DEFAULT 0 CHECK (interruptible IN (0, 1)),
    class TEXT,
    expected BIGINT,
    state TEXT NOT NULL,
    reason TEXT,
    generation BIGINT NOT NULL DEFAULT 0,
    hold TEXT NOT NULL REFERENCES hold (id),
    intent BLOB NOT NULL,
    span BIGINT NOT NULL,
    provider TEXT,
    region TEXT,
    created_at BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL,
    absent_since BIGINT,
    live_at BIGINT,
    until_at BIGINT,
    close_at BIGINT,
    ended_at BIGINT,
    billed BIGINT,
    tries BIGINT NOT NULL DEFAULT 0,
    settled BIGINT NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)),
    due_at BIGINT NOT NULL,
    UNIQUE (job, seq)
);
CREATE INDEX lease_due ON lease (due_at) WHERE state <> 'ended';
CREATE INDEX lease_created ON lease (created_at);
CREATE INDEX lease_unsettled ON lease (due_at) WHERE state = 'ended' AND settled = 0;

-- Nothing may hold two open leases for one attempt.
CREATE UNIQUE INDEX lease_one_open ON lease (execution) WHERE state <> 'ended';

-- By which key the agent of a lease signs, and the provider's word that it may; empty where no provider speaks for it.
CREATE TABLE delegation (
    lease TEXT PRIMARY KEY REFERENCES lease (id),
    agent TEXT NOT NULL,
    signature BLOB NOT NULL
);

-- Every root that the agent of a lease has signed and we have been told of.
CREATE TABLE claim (
    lease TEXT NOT NULL REFERENCES lease (id),
    leaf_count BIGINT NOT NULL CHECK (leaf_count > 0),
    root BLOB NOT NULL,
    signature BLOB NOT NULL,
    -- BLAKE3 of the newest state, or of the outputs.
    digest BLOB NOT NULL,
    outputs BIGINT NOT NULL CHECK (outputs IN (0, 1)),
    -- We said that we have every state below the root.
    acknowledged BIGINT NOT NULL DEFAULT 0 CHECK (acknowledged IN (0, 1)),
    PRIMARY KEY (lease, leaf_count)
);

-- How the work of an execution is checked. From state `requested` on, what was asked for does not change.
CREATE TABLE proof (
    execution TEXT PRIMARY KEY REFERENCES execution (id),
    job TEXT NOT NULL REFERENCES job (id),
    lease TEXT NOT NULL UNIQUE REFERENCES lease (id),
    state TEXT NOT NULL,
    detail TEXT,
    generation BIGINT NOT NULL DEFAULT 0,
    root BLOB,
    leaf_count BIGINT,
    signature BLOB,
    segments BIGINT NOT NULL DEFAULT 0,
    sample BIGINT NOT NULL DEFAULT 0,
    validators BIGINT NOT NULL DEFAULT 0,
    fee BIGINT NOT NULL DEFAULT 0,
    held BIGINT NOT NULL DEFAULT 0,
    notary_id BLOB,
    seed BLOB,
    drawn TEXT NOT NULL DEFAULT '',
    fee_paid BIGINT NOT NULL DEFAULT 0,
    slashed BIGINT NOT NULL DEFAULT 0,
    compensated BIGINT NOT NULL DEFAULT 0,
    gas BIGINT NOT NULL DEFAULT 0,
    txs TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    tries BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL
);
CREATE INDEX proof_due ON proof (due_at) WHERE state IN ('awaited', 'requested', 'open');
CREATE INDEX proof_job ON proof (job);
CREATE UNIQUE INDEX proof_notary ON proof (notary_id) WHERE notary_id IS NOT NULL;

-- How far something outside was followed; written in the transaction of what was seen there.
CREATE TABLE followed (
    name TEXT PRIMARY KEY,
    place TEXT NOT NULL
);

CREATE TABLE execution (
    id TEXT PRIMARY KEY,
    job TEXT NOT NULL REFERENCES job (id),
    attempt BIGINT NOT NULL,
    placement TEXT NOT NULL REFERENCES placement (id),
    lease TEXT,
    purchases BIGINT NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    reason TEXT,
    generation BIGINT NOT NULL DEFAULT 0,
    token_hash TEXT UNIQUE,
    buy_at BIGINT,
    instance_key TEXT,
    sandbox TEXT,
    stop BIGINT NOT NULL DEFAULT 0,
    from_segment BIGINT NOT NULL,
    to_segment BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    connected_at BIGINT,
    ended_at BIGINT,
    UNIQUE (job, attempt)
);
CREATE INDEX execution_open ON execution (created_at) WHERE state IN ('starting', 'running');
CREATE INDEX execution_buy ON execution (buy_at) WHERE buy_at IS NOT NULL;

CREATE TABLE object (
    id TEXT PRIMARY KEY,
    job TEXT,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    execution TEXT,
    segment BIGINT,
    context TEXT NOT NULL,
    wrapped_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    content BLOB,
    bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX object_job ON object (job, seq);
CREATE INDEX object_unnamed ON object (created_at) WHERE job IS NULL;

CREATE TABLE log_chunk (
    execution TEXT NOT NULL,
    at_offset BIGINT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (execution, at_offset)
);

CREATE TABLE settlement (
    lease TEXT PRIMARY KEY REFERENCES lease (id),
    job TEXT NOT NULL,
    paid BIGINT NOT NULL,
    fees BIGINT NOT NULL,
    refunded BIGINT NOT NULL,
    disputed BIGINT NOT NULL,
    gas BIGINT NOT NULL DEFAULT 0,
    txs TEXT NOT NULL DEFAULT '',
    at BIGINT NOT NULL
);
CREATE INDEX settlement_job ON settlement (job);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL
);
-- The one row in which a job's receipt stands.
CREATE UNIQUE INDEX outbox_settled ON outbox (subject) WHERE kind = 'job.settled';

-- What a receipt says of a lease beyond its other rows; written when its job is settled.
CREATE TABLE lease_fact (
    lease TEXT PRIMARY KEY REFERENCES lease (id),
    withholds BIGINT NOT NULL CHECK (withholds IN (0, 1)),
    domain BLOB,
    subject BLOB
);

-- How far the outbox stands in the audit log with this name: its first `size` rows, each the entry before its `seq`.
CREATE TABLE published (
    origin TEXT PRIMARY KEY,
    size BIGINT NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    checkpoint TEXT NOT NULL
);

-- From what the salts of a job's commitments in the audit log follow. Without it nobody can tell what was committed to.
CREATE TABLE job_secret (
    job TEXT PRIMARY KEY,
    secret BLOB NOT NULL CHECK (length(secret) = 32)
);

CREATE TABLE alert (
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (code, subject)
);
