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
