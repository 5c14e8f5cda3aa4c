-- Read model `transcript`, version 1 (projections/src/transcript.rs): one row a message. The text of a reply is
-- written once, when the reply is recorded. Deleted conversations and withdrawn messages have no rows.

CREATE SCHEMA rm_transcript_v1;

CREATE TABLE rm_transcript_v1.message (
    message_id      uuid        PRIMARY KEY,
    conversation_id uuid        NOT NULL,
    owner_id        uuid,
    parent_id       uuid,
    generation_id   uuid,                  -- of a reply
    position        bigint      NOT NULL,  -- where it stands: the event that posted, queued or requested it
    created_at      timestamptz NOT NULL,  -- when it was said or requested
    ended_at        timestamptz,           -- when the reply was recorded
    thinking_ms     bigint,
    role            text        NOT NULL CHECK (role IN ('user', 'assistant')),
    status          text        NOT NULL
        CHECK (status IN ('posted', 'queued', 'running', 'completed', 'cancelled', 'interrupted', 'failed')),
    provider        text,
    model           text,
    text            text,                  -- null while the reply runs, and when erased
    thinking_text   text
);

CREATE UNIQUE INDEX message_by_position ON rm_transcript_v1.message (conversation_id, position);
