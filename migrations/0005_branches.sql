-- Read model `transcript`, version 2 (projections/src/transcript.rs): which branch of the tree a conversation is shown
-- at, which message another one is an edit of, and what the user thinks of a reply.
--
-- Version 1 gets the same shape, empty: the program that builds version 2 reads version 1 until the cut-over. What is
-- in it is whole, since nothing was edited, rated or chosen before.

ALTER TABLE rm_transcript_v1.message
    ADD COLUMN edited_from uuid,
    ADD COLUMN rating      text CHECK (rating IN ('up', 'down'));

CREATE TABLE rm_transcript_v1.leaf (
    conversation_id uuid PRIMARY KEY,
    message_id      uuid NOT NULL
) WITH (fillfactor = 70);

CREATE SCHEMA rm_transcript_v2;

CREATE TABLE rm_transcript_v2.message (
    message_id      uuid        PRIMARY KEY,
    conversation_id uuid        NOT NULL,
    owner_id        uuid,
    parent_id       uuid,
    edited_from     uuid,                  -- the message it is another version of
    generation_id   uuid,                  -- of a reply
    position        bigint      NOT NULL,  -- where it stands: the event that posted, queued or requested it
    created_at      timestamptz NOT NULL,  -- when it was said or requested
    ended_at        timestamptz,           -- when the reply was recorded
    thinking_ms     bigint,
    role            text        NOT NULL CHECK (role IN ('user', 'assistant')),
    status          text        NOT NULL
        CHECK (status IN ('posted', 'queued', 'running', 'completed', 'cancelled', 'interrupted', 'failed')),
    rating          text        CHECK (rating IN ('up', 'down')),
    provider        text,
    model           text,
    text            text,                  -- null while the reply runs, and when erased
    thinking_text   text
);

-- Covers the tree: the shape of a conversation is read without its texts.
CREATE UNIQUE INDEX message_by_position ON rm_transcript_v2.message (conversation_id, position)
    INCLUDE (message_id, parent_id, owner_id, status);

CREATE TABLE rm_transcript_v2.leaf (
    conversation_id uuid PRIMARY KEY,
    message_id      uuid NOT NULL          -- where the conversation is shown
) WITH (fillfactor = 70);
