-- Read model `conversations`, version 1 (projections/src/conversations.rs): one row a conversation, with what a
-- list of them shows. Deleted conversations have no row.
--
-- Which version of a read model is read says es.projector.state; before any is active, the program's own.

CREATE SCHEMA rm_conversations_v1;

CREATE TABLE rm_conversations_v1.conversation (
    conversation_id uuid        PRIMARY KEY,
    owner_id        uuid,
    active_position bigint      NOT NULL,  -- the last message or reply; a rename is no activity
    version         bigint      NOT NULL,  -- of the conversation's stream
    created_at      timestamptz NOT NULL,
    active_at       timestamptz NOT NULL,
    title           text                   -- null when erased
) WITH (fillfactor = 80);

CREATE INDEX conversation_by_activity ON rm_conversations_v1.conversation (owner_id, active_position DESC);
