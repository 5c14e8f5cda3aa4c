-- Read model `conversations`, version 2 (projections/src/conversations.rs): what the user has set for a conversation's
-- requests.
--
-- Version 1 gets the same shape, empty: the program that builds version 2 reads version 1 until the cut-over. What is
-- in it is whole, since nothing was set before.

ALTER TABLE rm_conversations_v1.conversation
    ADD COLUMN temperature       double precision,
    ADD COLUMN top_p             double precision,
    ADD COLUMN max_tokens        bigint,
    ADD COLUMN enable_thinking   boolean,
    ADD COLUMN enable_web_search boolean,
    ADD COLUMN system_prompt     text;

CREATE SCHEMA rm_conversations_v2;

CREATE TABLE rm_conversations_v2.conversation (
    conversation_id   uuid        PRIMARY KEY,
    owner_id          uuid,
    active_position   bigint      NOT NULL,  -- the last message or reply; a rename is no activity
    version           bigint      NOT NULL,  -- of the conversation's stream
    created_at        timestamptz NOT NULL,
    active_at         timestamptz NOT NULL,
    temperature       double precision,      -- this and what follows: null when it is not set
    top_p             double precision,
    max_tokens        bigint,
    enable_thinking   boolean,
    enable_web_search boolean,
    title             text,                  -- null when erased
    system_prompt     text                   -- null when erased, too
) WITH (fillfactor = 80);

CREATE INDEX conversation_by_activity ON rm_conversations_v2.conversation (owner_id, active_position DESC);

-- Read model `usage_daily`, version 1 (projections/src/usage_daily.rs): what each user's replies and titles took, by the
-- UTC day they ended on, provider and model. It holds no text, and outlives conversations, for the accounts.

CREATE SCHEMA rm_usage_daily_v1;

CREATE TABLE rm_usage_daily_v1.usage_day (
    owner_id             uuid   NOT NULL,
    day                  date   NOT NULL,
    completed            bigint NOT NULL DEFAULT 0,  -- replies, by how they ended
    cancelled            bigint NOT NULL DEFAULT 0,
    interrupted          bigint NOT NULL DEFAULT 0,
    failed               bigint NOT NULL DEFAULT 0,
    estimated            bigint NOT NULL DEFAULT 0,  -- replies whose tokens nobody but us has counted
    input_tokens         bigint NOT NULL DEFAULT 0,
    cached_input_tokens  bigint NOT NULL DEFAULT 0,  -- part of input_tokens
    output_tokens        bigint NOT NULL DEFAULT 0,
    reasoning_tokens     bigint NOT NULL DEFAULT 0,  -- part of output_tokens
    cost_micro_usd       bigint NOT NULL DEFAULT 0,  -- of what has a known price
    titles               bigint NOT NULL DEFAULT 0,  -- in the row of the reply beside which they were made
    title_tokens         bigint NOT NULL DEFAULT 0,
    title_cost_micro_usd bigint NOT NULL DEFAULT 0,
    provider             text   NOT NULL,
    model                text   NOT NULL,
    PRIMARY KEY (owner_id, day, provider, model)
) WITH (fillfactor = 70);

-- What must be remembered of a reply until it ends.
CREATE TABLE rm_usage_daily_v1.usage_asked (
    generation_id uuid PRIMARY KEY,
    owner_id      uuid NOT NULL,
    provider      text NOT NULL,
    model         text NOT NULL
);

-- Who made a conversation's first reply: its title is made beside that.
CREATE TABLE rm_usage_daily_v1.usage_first (
    conversation_id uuid PRIMARY KEY,
    provider        text NOT NULL,
    model           text NOT NULL
);
