-- Read model `attachments`, version 1 (projections/src/attachments.rs): one row a file, with how far it has come, where its
-- bytes are and what was found in them. A file whose bytes are purged has no row.

CREATE SCHEMA rm_attachments_v1;

CREATE TABLE rm_attachments_v1.attachment (
    attachment_id   uuid        PRIMARY KEY,
    owner_id        uuid,
    conversation_id uuid,                  -- where its client was; once linked, where its message is
    message_id      uuid,
    position        bigint      NOT NULL,  -- of its announcement
    size            bigint,                -- as announced; once ready, as found; null when nobody could say
    requested_at    timestamptz NOT NULL,
    ready_at        timestamptz,
    ended_at        timestamptz,           -- when it failed or was deleted
    pages           integer,
    status          text        NOT NULL DEFAULT 'REQUESTED'
        CHECK (status IN ('REQUESTED', 'UPLOADING', 'READY', 'ATTACHED', 'FAILED', 'DELETED')),
    origin          text        NOT NULL,
    draft_id        text,
    batch_id        text,
    mime            text        NOT NULL,
    bucket          text        NOT NULL,
    key             text,                  -- null when erased, like the name
    filename        text,
    source_url      text,
    version_id      text,
    etag            text,
    checksum        text,
    storage_class   text,
    text_preview    text,
    image           jsonb
) WITH (fillfactor = 70);

CREATE INDEX attachment_by_owner ON rm_attachments_v1.attachment (owner_id, position DESC);
CREATE INDEX attachment_by_message ON rm_attachments_v1.attachment (message_id) WHERE message_id IS NOT NULL;
-- What the reaper looks for.
CREATE INDEX attachment_open ON rm_attachments_v1.attachment (requested_at)
    WHERE status IN ('REQUESTED', 'UPLOADING');
CREATE INDEX attachment_deleted ON rm_attachments_v1.attachment (ended_at) WHERE status = 'DELETED';
