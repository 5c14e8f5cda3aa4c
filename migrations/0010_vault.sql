-- The vault (crate `adapters/vault`): keys, and who is signed in. State by nature: it is not in the log, never rebuilt,
-- and must be backed up together with the schema es, whose sealed halves nobody can read without it.

CREATE SCHEMA vault;

-- One key a person, under which everything personal of theirs is sealed; the row without an owner is the system's.
-- wrapped is the key under the master key that master_id names, and null once the key is destroyed: the row stays, so
-- that no key is ever made for this person again.
CREATE TABLE vault.data_key (
    key_id       uuid        PRIMARY KEY,
    owner_id     uuid        UNIQUE NULLS NOT DISTINCT,
    master_id    text        NOT NULL,
    wrapped      bytea,
    made_at      timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- People's own keys of providers, sealed under their data keys. fingerprint tells two keys apart and nothing else.
CREATE TABLE vault.provider_key (
    user_id     uuid        NOT NULL,
    provider    text        NOT NULL,
    key_id      uuid        NOT NULL UNIQUE,
    fingerprint text        NOT NULL,
    is_default  boolean     NOT NULL,
    sealed      bytea       NOT NULL,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, provider)
);

-- Who is signed in. The token itself is not kept, only its SHA-256.
CREATE TABLE vault.session (
    token_hash bytea       PRIMARY KEY,
    session_id uuid        NOT NULL UNIQUE,
    user_id    uuid        NOT NULL,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX session_by_user ON vault.session (user_id);
CREATE INDEX session_by_end ON vault.session (expires_at);

-- Tickets that open one socket each. Taking one removes it.
CREATE TABLE vault.ticket (
    ticket_hash bytea       PRIMARY KEY,
    user_id     uuid        NOT NULL,
    expires_at  timestamptz NOT NULL
);

CREATE INDEX ticket_by_user ON vault.ticket (user_id);
CREATE INDEX ticket_by_end ON vault.ticket (expires_at);
