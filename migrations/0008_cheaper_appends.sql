-- What an append costs, and what an event takes on disk, made smaller (ops/adr/0016). The columns that change are
-- rewritten here, against the rules of README.md: no release has them.

-- The streams that are not closed: written when a stream opens and when it closes, where an index over es.stream
-- is written by every append.
CREATE TABLE es.open_stream (
    category  smallint NOT NULL,
    stream_id uuid     NOT NULL,
    PRIMARY KEY (category, stream_id)
);

INSERT INTO es.open_stream SELECT category, stream_id FROM es.stream WHERE status = 0;

DROP INDEX es.stream_open;

-- How far es.command is forgotten: commands of events up to here are gone. One row. Which commands are old is read
-- from the events, which are in order of time, so es.command needs no index for it.
CREATE TABLE es.forgotten (
    position bigint NOT NULL
);

INSERT INTO es.forgotten VALUES (0);

DROP INDEX es.command_recorded_at;

-- An event's data as the bytes that are hashed: half the size of jsonb, and written, read and verified without
-- making anything of it. Events of before keep the text that jsonb made of them, which verification knows.
ALTER TABLE es.event ALTER COLUMN data TYPE json USING data::text::json;

DROP FUNCTION es.append_batch;
DROP FUNCTION es.merkle_root;

-- chain = SHA-256(previous chain || batch_no || first || last || recorded_at in µs since 1970 || root), numbers as 8
-- bytes, most significant first; before the first batch the chain is 32 zero bytes. (PostgreSQL expands it in place.)
CREATE FUNCTION es.next_chain(
    previous       bytea,
    batch_no       bigint,
    first_position bigint,
    last_position  bigint,
    recorded_at    timestamptz,
    root           bytea
) RETURNS bytea
LANGUAGE sql STABLE AS $$
    SELECT sha256(previous || int8send(batch_no) || int8send(first_position) || int8send(last_position)
                  || int8send((extract(epoch FROM recorded_at) * 1000000)::bigint) || root)
$$;

-- Writes a batch of appends, all or none: if one of them cannot be written, it says so of each of those and writes
-- nothing, and the caller sends the others again. Arrays of one prefix run in parallel:
--   append_*  one element an append
--   slot_*    one element a (append, stream) pair, in append order
--   guard_*   one element a guard: the append holds only while the stream is at that version
--   event_*   one element an event, in slot order
-- Numbers of appends and slots start at 1; an offset is the number of events before the append or slot. root is
-- the Merkle root over event_hash: SHA-256(01 || left || right) over neighbours, one without a neighbour moves up as it
-- is (the shape of RFC 6962; what an event's hash is made from begins with 00, so no leaf can pass for a node).
--
-- The caller never puts into one batch two appends that touch the same stream or carry the same command, nor one
-- that guards a stream another one writes; hence no append of a batch can change the verdict over another one, and
-- all are judged together. (PL/pgSQL holds arrays unpacked, so an element costs the same wherever it stands.)
--
-- Answers with one row, of append 0 and outcome 0, that has the batch's first position; or with a row for each reason
-- why an append cannot be written, see es.outcome.
CREATE FUNCTION es.append_batch(
    root              bytea,
    append_command    uuid[],
    append_call       uuid[],
    append_offset     integer[],
    append_events     integer[],
    slot_append       integer[],
    slot_offset       integer[],
    slot_events       integer[],
    slot_stream       uuid[],
    slot_category     smallint[],
    slot_owner        uuid[],
    slot_correlation  uuid[],
    slot_causation    bigint[],
    slot_expected     bigint[],
    slot_close        boolean[],
    guard_append      integer[],
    guard_stream      uuid[],
    guard_version     bigint[],
    event_slot        integer[],
    event_schema      smallint[],
    event_type        text[],
    event_key         uuid[],
    event_hash        bytea[],
    event_sealed_hash bytea[],
    event_data        text[],
    event_sealed      bytea[]
) RETURNS SETOF es.outcome
LANGUAGE plpgsql AS $$
DECLARE
    appends  integer := cardinality(append_command);
    slots    integer := cardinality(slot_stream);
    events   integer := cardinality(event_hash);
    head     es.batch;
    next     es.batch;
    room     bigint;        -- the first position no partition holds
    settled  es.outcome[];  -- of appends that cannot be written
BEGIN
    -- Every statement below must see what the previous holder of the lock has committed.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'es.append_batch runs under READ COMMITTED only' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(7310034170);  -- the log's lock: any number nobody else locks

    SELECT coalesce(b.batch_no, 0), coalesce(b.last_position, 0), coalesce(b.recorded_at, '-infinity'),
           coalesce(b.chain, decode(repeat('00', 32), 'hex')), p.end_position,
           ARRAY(
               SELECT ROW(a, (c.call_id <> append_call[a])::integer, c.first_position, c.events, c.recorded_at, NULL, NULL)::es.outcome
               FROM generate_series(1, appends) AS a
               JOIN es.command AS c ON c.command_id = append_command[a]
               UNION ALL
               SELECT ROW(slot_append[w], CASE WHEN s.category <> slot_category[w] THEN 3 WHEN s.status = 1 THEN 2 ELSE 4 END,
                          NULL, NULL, NULL, slot_stream[w], coalesce(s.version, 0))::es.outcome
               FROM generate_series(1, slots) AS w
               LEFT JOIN LATERAL (SELECT version, category, status FROM es.stream
                                  WHERE stream_id = slot_stream[w] ORDER BY version DESC LIMIT 1) AS s ON true
               WHERE coalesce(s.version, 0) <> slot_expected[w] OR s.status = 1 OR s.category <> slot_category[w]
               UNION ALL
               SELECT ROW(guard_append[g], 4, NULL, NULL, NULL, guard_stream[g], coalesce(s.version, 0))::es.outcome
               FROM generate_series(1, cardinality(guard_stream)) AS g
               LEFT JOIN LATERAL (SELECT version FROM es.stream
                                  WHERE stream_id = guard_stream[g] ORDER BY version DESC LIMIT 1) AS s ON true
               WHERE coalesce(s.version, 0) <> guard_version[g]
           )
    INTO head.batch_no, head.last_position, head.recorded_at, head.chain, room, settled
    FROM (SELECT end_position FROM es.partition ORDER BY partition_no DESC LIMIT 1) AS p
    LEFT JOIN (SELECT * FROM es.batch ORDER BY batch_no DESC LIMIT 1) AS b ON true;

    IF cardinality(settled) > 0 THEN
        RETURN QUERY SELECT * FROM unnest(settled);
        RETURN;
    END IF;

    next.batch_no := head.batch_no + 1;
    next.first_position := head.last_position + 1;
    next.last_position := head.last_position + events;
    next.recorded_at := greatest(clock_timestamp(), head.recorded_at + interval '1 microsecond');
    next.chain := es.next_chain(head.chain, next.batch_no, next.first_position, next.last_position, next.recorded_at, root);

    -- Maintenance adds partitions ahead of need; this is for the day it could not.
    WHILE next.last_position >= room LOOP
        PERFORM es.add_partition();
        SELECT max(end_position) INTO room FROM es.partition;
    END LOOP;

    IF 0 = ANY (slot_expected) THEN
        WITH opened AS (
            INSERT INTO es.open_stream (category, stream_id)
            SELECT slot_category[w], slot_stream[w]
            FROM generate_series(1, slots) AS w
            WHERE slot_expected[w] = 0 AND NOT slot_close[w]
        )
        INSERT INTO es.stream (stream_id, version, first_position, last_position, owner_id, category, status)
        SELECT slot_stream[w], slot_events[w], next.first_position + slot_offset[w],
               head.last_position + slot_offset[w] + slot_events[w], slot_owner[w], slot_category[w], slot_close[w]::integer
        FROM generate_series(1, slots) AS w
        WHERE slot_expected[w] = 0;
    END IF;

    IF true = ANY (slot_close) THEN
        DELETE FROM es.open_stream AS o
        USING generate_series(1, slots) AS w
        WHERE o.category = slot_category[w] AND o.stream_id = slot_stream[w] AND slot_close[w];
    END IF;

    WITH moved AS (
        UPDATE es.stream AS s
        SET version = slot_expected[w] + slot_events[w], last_position = head.last_position + slot_offset[w] + slot_events[w],
            owner_id = slot_owner[w], status = slot_close[w]::integer
        FROM generate_series(1, slots) AS w
        WHERE s.stream_id = slot_stream[w] AND s.version = slot_expected[w] AND slot_expected[w] > 0
    ), commands AS (
        INSERT INTO es.command (command_id, first_position, recorded_at, events, call_id)
        SELECT append_command[a], next.first_position + append_offset[a], next.recorded_at, append_events[a], append_call[a]
        FROM generate_series(1, appends) AS a
    ), events AS (
        INSERT INTO es.event (position, version, recorded_at, causation_position, stream_id, command_id, correlation_id,
                              owner_id, key_id, command_index, category, schema_version, type, hash, sealed_hash, data, sealed)
        SELECT head.last_position + e, slot_expected[w] + e - slot_offset[w], next.recorded_at, slot_causation[w],
               slot_stream[w], append_command[slot_append[w]], slot_correlation[w], slot_owner[w], event_key[e],
               e - append_offset[slot_append[w]] - 1, slot_category[w], event_schema[e], event_type[e], event_hash[e],
               event_sealed_hash[e], event_data[e]::json, event_sealed[e]
        FROM (SELECT e, event_slot[e] AS w FROM generate_series(1, events) AS e) AS e
    )
    INSERT INTO es.batch (batch_no, first_position, last_position, recorded_at, root, chain)
    VALUES (next.batch_no, next.first_position, next.last_position, next.recorded_at, root, next.chain);

    RETURN NEXT (0, 0::smallint, next.first_position, events, next.recorded_at, NULL, NULL)::es.outcome;
END
$$;

-- The same for a batch that is one append with one event and no guard, as on a log with one writer: plain values need
-- no plans over sets, whose start is most of such a batch's time.
CREATE FUNCTION es.append_one(
    event_command     uuid,
    event_call        uuid,
    event_stream      uuid,
    event_category    smallint,
    event_owner       uuid,
    event_correlation uuid,
    event_causation   bigint,
    event_expected    bigint,
    event_close       boolean,
    event_schema      smallint,
    event_type        text,
    event_key         uuid,
    event_hash        bytea,
    event_sealed_hash bytea,
    event_data        text,
    event_sealed      bytea
) RETURNS SETOF es.outcome
LANGUAGE plpgsql AS $$
DECLARE
    head     es.batch;
    next     es.batch;
    room     bigint;
    known    es.command;
    found    es.stream;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'es.append_one runs under READ COMMITTED only' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(7310034170);

    SELECT coalesce(b.batch_no, 0), coalesce(b.last_position, 0), coalesce(b.recorded_at, '-infinity'),
           coalesce(b.chain, decode(repeat('00', 32), 'hex')), p.end_position,
           c.call_id, c.first_position, c.events, c.recorded_at, coalesce(s.version, 0), s.category, s.status
    INTO head.batch_no, head.last_position, head.recorded_at, head.chain, room,
         known.call_id, known.first_position, known.events, known.recorded_at, found.version, found.category, found.status
    FROM (SELECT end_position FROM es.partition ORDER BY partition_no DESC LIMIT 1) AS p
    LEFT JOIN (SELECT * FROM es.batch ORDER BY batch_no DESC LIMIT 1) AS b ON true
    LEFT JOIN es.command AS c ON c.command_id = event_command
    LEFT JOIN (SELECT * FROM es.stream WHERE stream_id = event_stream ORDER BY version DESC LIMIT 1) AS s ON true;

    IF known.call_id IS NOT NULL THEN
        RETURN NEXT (1, (known.call_id <> event_call)::integer, known.first_position, known.events, known.recorded_at, NULL, NULL)::es.outcome;
        RETURN;
    ELSIF found.version <> event_expected OR found.status = 1 OR found.category <> event_category THEN
        RETURN NEXT (1, CASE WHEN found.category <> event_category THEN 3 WHEN found.status = 1 THEN 2 ELSE 4 END,
                     NULL, NULL, NULL, event_stream, found.version)::es.outcome;
        RETURN;
    END IF;

    next.batch_no := head.batch_no + 1;
    next.last_position := head.last_position + 1;
    next.recorded_at := greatest(clock_timestamp(), head.recorded_at + interval '1 microsecond');
    next.chain := es.next_chain(head.chain, next.batch_no, next.last_position, next.last_position, next.recorded_at, event_hash);
    IF next.last_position >= room THEN
        PERFORM es.add_partition();
    END IF;

    IF event_expected = 0 THEN
        INSERT INTO es.stream (stream_id, version, first_position, last_position, owner_id, category, status)
        VALUES (event_stream, 1, next.last_position, next.last_position, event_owner, event_category, event_close::integer);
    END IF;
    IF event_close THEN
        DELETE FROM es.open_stream WHERE category = event_category AND stream_id = event_stream;
    ELSIF event_expected = 0 THEN
        INSERT INTO es.open_stream (category, stream_id) VALUES (event_category, event_stream);
    END IF;

    WITH moved AS (
        UPDATE es.stream
        SET version = event_expected + 1, last_position = next.last_position, owner_id = event_owner, status = event_close::integer
        WHERE stream_id = event_stream AND version = event_expected AND event_expected > 0
    ), commands AS (
        INSERT INTO es.command (command_id, first_position, recorded_at, events, call_id)
        VALUES (event_command, next.last_position, next.recorded_at, 1, event_call)
    ), events AS (
        INSERT INTO es.event (position, version, recorded_at, causation_position, stream_id, command_id, correlation_id,
                              owner_id, key_id, command_index, category, schema_version, type, hash, sealed_hash, data, sealed)
        VALUES (next.last_position, event_expected + 1, next.recorded_at, event_causation, event_stream, event_command,
                event_correlation, event_owner, event_key, 0, event_category, event_schema, event_type, event_hash,
                event_sealed_hash, event_data::json, event_sealed)
    )
    INSERT INTO es.batch (batch_no, first_position, last_position, recorded_at, root, chain)
    VALUES (next.batch_no, next.last_position, next.last_position, next.recorded_at, event_hash, next.chain);

    RETURN NEXT (0, 0::smallint, next.last_position, 1, next.recorded_at, NULL, NULL)::es.outcome;
END
$$;
