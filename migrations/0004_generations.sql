-- Read model `generations`, version 1 (projections/src/generations.rs): one row an attempt at a reply, with its
-- state, times, tokens and cost. It holds no text. Rows outlive their conversation, for the accounts; owners do
-- not see them then.

CREATE SCHEMA rm_generations_v1;

CREATE TABLE rm_generations_v1.generation (
    generation_id        uuid        PRIMARY KEY,
    conversation_id      uuid        NOT NULL,
    message_id           uuid        NOT NULL,
    owner_id             uuid,
    requested_at         timestamptz NOT NULL,
    started_at           timestamptz,
    ended_at             timestamptz,
    final_seq            bigint,
    first_token_ms       bigint,
    thinking_ms          bigint,
    input_tokens         bigint,
    cached_input_tokens  bigint,  -- part of input_tokens
    output_tokens        bigint,
    reasoning_tokens     bigint,  -- part of output_tokens
    total_tokens         bigint,
    cost_micro_usd       bigint,
    epoch                integer     NOT NULL DEFAULT 0,  -- 0: no worker has taken it yet
    attempts             integer,
    cancel_requested     boolean     NOT NULL DEFAULT false,
    conversation_deleted boolean     NOT NULL DEFAULT false,
    status               text        NOT NULL DEFAULT 'requested'
        CHECK (status IN ('requested', 'streaming', 'completed', 'cancelled', 'interrupted', 'failed')),
    kind                 text        NOT NULL CHECK (kind IN ('chat', 'image')),
    provider             text        NOT NULL,
    model                text        NOT NULL,
    usage_source         text CHECK (usage_source IN ('provider', 'estimated')),
    catalogue_version    text,    -- whose prices the cost is by
    finish_reason        text,
    error_class          text
) WITH (fillfactor = 70);

CREATE INDEX generation_running ON rm_generations_v1.generation (owner_id) WHERE ended_at IS NULL;
CREATE INDEX generation_by_conversation ON rm_generations_v1.generation (conversation_id);
