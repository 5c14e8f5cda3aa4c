-- The event log (crate `eventlog`, schema `es`). It stores envelopes and knows nothing of chat.
--
-- Everything is written by es.append_batch, one batch at a time, under one lock that is released after
-- the commit is visible. So position order = commit order = visibility order, and positions have no gaps.

CREATE SCHEMA es;

-- One row a commit, insert-only. Its last row is the head of the log. recorded_at strictly increases with
-- batch_no, so "as of T" is found by bisection over the primary key and needs no index of its own.
CREATE TABLE es.batch (
    batch_no       bigint      PRIMARY KEY,
    first_position bigint      NOT NULL,
    last_position  bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL,
    root           bytea       NOT NULL,
    chain          bytea       NOT NULL
);

-- One row a stream. status: 0 open, 1 closed. owner_id is the owner of the newest event.
-- The key ends in the version, so that the newest state of a stream is the first entry of a backward scan.
-- With the key on stream_id alone, an open snapshot anywhere in the cluster would make every append walk over
-- all the states of its stream that could not be removed since.
CREATE TABLE es.stream (
    stream_id      uuid     NOT NULL,
    version        bigint   NOT NULL,
    first_position bigint   NOT NULL,
    last_position  bigint   NOT NULL,
    owner_id       uuid,
    category       smallint NOT NULL,
    status         smallint NOT NULL,
    PRIMARY KEY (stream_id, version)
);

CREATE INDEX stream_open ON es.stream (category, stream_id) WHERE status = 0;

-- The envelopes. Columns stand in the order that wastes no alignment bytes. command_index counts the
-- events of one append from 0; the sealed half is bound to it. sealed may be removed (erasure): sealed_hash
-- stays, and with it every proof.
CREATE TABLE es.event (
    position           bigint      NOT NULL,
    version            bigint      NOT NULL,
    recorded_at        timestamptz NOT NULL,
    causation_position bigint,
    stream_id          uuid        NOT NULL,
    command_id         uuid        NOT NULL,
    correlation_id     uuid        NOT NULL,
    owner_id           uuid,
    key_id             uuid,
    command_index      smallint    NOT NULL,
    category           smallint    NOT NULL,
    schema_version     smallint    NOT NULL,
    type               text        NOT NULL,
    hash               bytea       NOT NULL,
    sealed_hash        bytea,
    data               jsonb       NOT NULL,
    sealed             bytea,
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);

-- Sealed bytes are ciphertext or already compressed: trying to compress them again is wasted time.
ALTER TABLE es.event ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE INDEX event_correlation ON es.event (correlation_id, position);

-- The partitions of es.event: positions first_position <= p < end_position. frozen_at is set when a
-- closed partition has been vacuumed for good.
CREATE TABLE es.partition (
    partition_no   integer     PRIMARY KEY,
    first_position bigint      NOT NULL,
    end_position   bigint      NOT NULL,
    frozen_at      timestamptz
);

-- The idempotency window: rows older than seven days are deleted by the log's maintenance. call_id is the
-- one call that wrote the command: sent again after a lost connection, it is answered as it was written.
CREATE TABLE es.command (
    command_id     uuid        PRIMARY KEY,
    first_position bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL,
    events         integer     NOT NULL,
    call_id        uuid        NOT NULL
);

CREATE INDEX command_recorded_at ON es.command (recorded_at);

-- Where each version of each projection is. state: 0 building, 1 active, 2 retired. Updated up to
-- 25 times a second, hence the room.
CREATE TABLE es.projector (
    name        text        NOT NULL,
    version     integer     NOT NULL,
    position    bigint      NOT NULL,
    epoch       bigint      NOT NULL,
    owner       text,
    lease_until timestamptz NOT NULL,
    state       smallint    NOT NULL,
    PRIMARY KEY (name, version)
) WITH (fillfactor = 10);

-- Correlations a projector has set aside because one of their events could not be applied.
CREATE TABLE es.parked (
    projector       text        NOT NULL,
    version         integer     NOT NULL,
    correlation_id  uuid        NOT NULL,
    first_position  bigint      NOT NULL,
    error           text        NOT NULL,
    at              timestamptz NOT NULL,
    retry_requested boolean     NOT NULL,
    PRIMARY KEY (projector, version, correlation_id)
);

-- Adds the partition after the last one; it is as large as the last one unless a size is given.
-- LIKE + ATTACH takes a lock that neither readers nor writers of es.event notice (PARTITION OF would wait
-- for every open transaction and make everyone wait behind it).
CREATE FUNCTION es.add_partition(size bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    last es.partition;
    name text;
BEGIN
    SELECT * INTO last FROM es.partition ORDER BY partition_no DESC LIMIT 1;
    last := (coalesce(last.partition_no, 0) + 1,
             coalesce(last.end_position, 1),
             coalesce(last.end_position, 1) + coalesce(size, last.end_position - last.first_position),
             NULL);
    name := format('event_%s', last.partition_no);
    EXECUTE format('CREATE TABLE es.%I (LIKE es.event INCLUDING STORAGE)', name);
    EXECUTE format('CREATE UNIQUE INDEX ON es.%I (stream_id, version)', name);
    EXECUTE format('ALTER TABLE es.event ATTACH PARTITION es.%I FOR VALUES FROM (%s) TO (%s)',
                   name, last.first_position, last.end_position);
    INSERT INTO es.partition SELECT last.*;
END
$$;

SELECT es.add_partition(10000000);

-- Adds a partition when the last one has been entered, so that there is always an empty one ahead. Takes the
-- lock of es.append_batch: whoever finds a partition missing must be the only one to add it.
CREATE FUNCTION es.add_partition_ahead() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7310034170);
    IF (SELECT max(last_position) FROM es.batch) >= (SELECT max(first_position) FROM es.partition) THEN
        PERFORM es.add_partition();
    END IF;
END
$$;

-- What became of one append of a batch. outcome: 0 written, now or by an earlier try of the same call; 1 its
-- command is known: another call has recorded it, at first_position; 2 stream_id is closed; 3 stream_id is of another category; 4 stream_id is
-- at `version`, not where the append expected it.
CREATE TYPE es.outcome AS (
    append         integer,
    outcome        smallint,
    first_position bigint,
    events         integer,
    recorded_at    timestamptz,
    stream_id      uuid,
    version        bigint
);

-- SHA-256 tree over 32-byte leaves laid end to end: node = SHA-256(01 || left || right), a node without a
-- sibling moves up as it is (the shape of RFC 6962). A leaf is an event's hash; what that is made from
-- begins with 00, so no leaf can pass for a node.
CREATE FUNCTION es.merkle_root(level bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    WHILE length(level) > 32 LOOP
        SELECT string_agg(CASE WHEN length(pair) = 64 THEN sha256('\x01'::bytea || pair) ELSE pair END, ''::bytea ORDER BY at)
        INTO level
        FROM (SELECT at, substr(level, at, 64) AS pair FROM generate_series(1, length(level), 64) AS at) AS pairs;
    END LOOP;
    RETURN level;
END
$$;

-- Writes a batch of appends and says what became of each. Arrays of one prefix run in parallel:
--   append_*  one element an append; its slots are numbers append_slot and on, its events append_events in all
--   slot_*    one element a (append, stream) pair, in append order
--   guard_*   one element a guard: the append holds only while the stream is at that version
--   event_*   one element an event, in slot order
-- Numbers of appends and slots start at 1; whole_root is the Merkle root over all event_hash. The caller never
-- puts into one batch two appends that touch the same stream or carry the same command, nor one that guards
-- a stream another one writes; hence no append of a batch can change the verdict over another one, and all
-- are judged together. (PL/pgSQL holds arrays unpacked, so an element costs the same wherever it stands.)
CREATE FUNCTION es.append_batch(
    whole_root        bytea,
    append_command    uuid[],
    append_call       uuid[],
    append_slot       integer[],
    append_events     bigint[],
    slot_append       integer[],
    slot_stream       uuid[],
    slot_category     smallint[],
    slot_owner        uuid[],
    slot_expected     bigint[],
    slot_events       bigint[],
    slot_close        boolean[],
    guard_append      integer[],
    guard_stream      uuid[],
    guard_version     bigint[],
    event_slot        integer[],
    event_version     bigint[],
    event_causation   bigint[],
    event_stream      uuid[],
    event_command     uuid[],
    event_correlation uuid[],
    event_owner       uuid[],
    event_key         uuid[],
    event_index       smallint[],
    event_category    smallint[],
    event_schema      smallint[],
    event_type        text[],
    event_hash        bytea[],
    event_sealed_hash bytea[],
    event_data        text[],
    event_sealed      bytea[]
) RETURNS SETOF es.outcome
LANGUAGE plpgsql AS $$
DECLARE
    appends     integer := cardinality(append_command);
    slots       integer := cardinality(slot_stream);
    events      integer := cardinality(event_hash);
    head        es.batch;
    next        es.batch;
    settled     es.outcome[];  -- of appends that are not to be written
    lost        integer[];     -- which those are
    slot_first  bigint[];      -- the first position of each slot, null where its append is not written
BEGIN
    -- Every statement below must see what the previous holder of the lock has committed.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'es.append_batch runs under READ COMMITTED only' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(7310034170);  -- the log's lock: any number nobody else locks

    SELECT * INTO head FROM es.batch ORDER BY batch_no DESC LIMIT 1;
    IF NOT FOUND THEN
        head := (0, 0, 0, '-infinity', ''::bytea, decode(repeat('00', 32), 'hex'));
    END IF;

    SELECT array_agg(ROW(v.*)::es.outcome), array_agg(v.append) INTO settled, lost
    FROM (
        SELECT a, (c.call_id <> append_call[a])::integer, c.first_position, c.events, c.recorded_at, NULL::uuid, NULL::bigint
        FROM generate_series(1, appends) AS a
        JOIN es.command AS c ON c.command_id = append_command[a]
        UNION ALL
        SELECT slot_append[w], CASE WHEN s.category <> slot_category[w] THEN 3 WHEN s.status = 1 THEN 2 ELSE 4 END,
               NULL, NULL, NULL, slot_stream[w], coalesce(s.version, 0)
        FROM generate_series(1, slots) AS w
        LEFT JOIN LATERAL (SELECT version, category, status FROM es.stream
                           WHERE stream_id = slot_stream[w] ORDER BY version DESC LIMIT 1) AS s ON true
        WHERE coalesce(s.version, 0) <> slot_expected[w] OR s.status = 1 OR s.category <> slot_category[w]
        UNION ALL
        SELECT guard_append[g], 4, NULL, NULL, NULL, guard_stream[g], coalesce(s.version, 0)
        FROM generate_series(1, cardinality(guard_stream)) AS g
        LEFT JOIN LATERAL (SELECT version FROM es.stream
                           WHERE stream_id = guard_stream[g] ORDER BY version DESC LIMIT 1) AS s ON true
        WHERE coalesce(s.version, 0) <> guard_version[g]
    ) AS v (append, outcome, first_position, events, recorded_at, stream_id, version);

    -- A loser takes no positions.
    next.last_position := head.last_position;
    FOR w IN 1 .. slots LOOP
        IF lost IS NULL OR slot_append[w] <> ALL (lost) THEN
            slot_first[w] := next.last_position + 1;
            next.last_position := next.last_position + slot_events[w];
        END IF;
    END LOOP;
    IF lost IS NOT NULL THEN
        RETURN QUERY SELECT * FROM unnest(settled);
        IF next.last_position = head.last_position THEN
            RETURN;  -- nobody won: no batch, no position used
        END IF;
    END IF;

    -- Maintenance adds partitions ahead of need; this is for the day it could not.
    WHILE next.last_position >= (SELECT max(end_position) FROM es.partition) LOOP
        PERFORM es.add_partition();
    END LOOP;

    next.batch_no := head.batch_no + 1;
    next.first_position := head.last_position + 1;
    next.recorded_at := greatest(clock_timestamp(), head.recorded_at + interval '1 microsecond');

    INSERT INTO es.stream (stream_id, version, first_position, last_position, owner_id, category, status)
    SELECT slot_stream[w], slot_events[w], slot_first[w], slot_first[w] + slot_events[w] - 1, slot_owner[w],
           slot_category[w], slot_close[w]::integer
    FROM generate_series(1, slots) AS w
    WHERE slot_first[w] IS NOT NULL AND slot_expected[w] = 0;

    UPDATE es.stream AS s
    SET version = slot_expected[w] + slot_events[w], last_position = slot_first[w] + slot_events[w] - 1,
        owner_id = slot_owner[w], status = slot_close[w]::integer
    FROM generate_series(1, slots) AS w
    WHERE s.stream_id = slot_stream[w] AND s.version = slot_expected[w] AND slot_first[w] IS NOT NULL;

    INSERT INTO es.command (command_id, first_position, recorded_at, events, call_id)
    SELECT append_command[a], slot_first[append_slot[a]], next.recorded_at, append_events[a], append_call[a]
    FROM generate_series(1, appends) AS a
    WHERE slot_first[append_slot[a]] IS NOT NULL;

    INSERT INTO es.event (position, version, recorded_at, causation_position, stream_id, command_id, correlation_id,
                          owner_id, key_id, command_index, category, schema_version, type, hash, sealed_hash, data, sealed)
    SELECT slot_first[event_slot[e]] + event_version[e] - slot_expected[event_slot[e]] - 1, event_version[e],
           next.recorded_at, event_causation[e], event_stream[e], event_command[e], event_correlation[e], event_owner[e],
           event_key[e], event_index[e], event_category[e], event_schema[e], event_type[e], event_hash[e],
           event_sealed_hash[e], event_data[e]::jsonb, event_sealed[e]
    FROM generate_series(1, events) AS e
    WHERE slot_first[event_slot[e]] IS NOT NULL;

    IF lost IS NULL THEN
        next.root := whole_root;
    ELSE
        SELECT es.merkle_root(string_agg(event_hash[e], ''::bytea ORDER BY e)) INTO next.root
        FROM generate_series(1, events) AS e
        WHERE slot_first[event_slot[e]] IS NOT NULL;
    END IF;

    -- chain = SHA-256(previous chain || batch_no || first || last || recorded_at in µs since 1970 || root),
    -- numbers as 8 bytes, most significant first; before the first batch the chain is 32 zero bytes.
    next.chain := sha256(head.chain || int8send(next.batch_no) || int8send(next.first_position)
                         || int8send(next.last_position)
                         || int8send((extract(epoch FROM next.recorded_at) * 1000000)::bigint) || next.root);
    INSERT INTO es.batch SELECT next.*;

    RETURN QUERY
    SELECT a, 0::smallint, slot_first[append_slot[a]], append_events[a]::integer, next.recorded_at, NULL::uuid, NULL::bigint
    FROM generate_series(1, appends) AS a
    WHERE slot_first[append_slot[a]] IS NOT NULL;
END
$$;
