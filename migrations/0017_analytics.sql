-- What analysts read: views over the read models (ADR 27), without what people and models said. The views follow the
-- version that queries read: analytics.define() lays them on it, at every cut-over and here.

CREATE SCHEMA analytics;

-- May read the views and nothing else. A role is the cluster's: several databases share it. Who migrates without the right
-- to make roles has it made by an administrator, and granted at the next cut-over or by SELECT analytics.define().
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'slipstream_analyst') THEN
        CREATE ROLE slipstream_analyst NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;  -- another database's migration was first
    WHEN insufficient_privilege THEN
        RAISE WARNING 'the role slipstream_analyst could not be made; CREATE ROLE slipstream_analyst NOLOGIN as an administrator';
END
$$;

-- Which schemas the views stand on.
CREATE TABLE analytics.stands_on (
    read_model text PRIMARY KEY,
    schema_id  oid  NOT NULL
);

-- The schema of a read model that queries read; before any version is active, the newest there is (a version is a shape and
-- a thousand times the rebuild: projections/src/version.rs).
CREATE FUNCTION analytics.schema_of(read_model text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT n.nspname FROM pg_namespace AS n
    LEFT JOIN es.projector AS p
           ON p.name = read_model AND p.state = 1 AND n.nspname = format('rm_%s_v%s', p.name, p.version)
    WHERE n.nspname ~ format('^rm_%s_v\d+$', read_model)
    ORDER BY p.version IS NULL, substring(n.nspname FROM '\d+$')::integer % 1000 DESC,
             substring(n.nspname FROM '\d+$')::integer DESC LIMIT 1
$$;

-- The last event that a row shows: of its stream, as far as its read model has come.
CREATE FUNCTION analytics.position_sql(stream_id text, read_model text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT format('least((SELECT s.last_position FROM es.stream AS s WHERE s.stream_id = %s ORDER BY s.version DESC LIMIT 1), '
                  '(SELECT p.position FROM es.projector AS p WHERE p.name = %L AND p.state = 1))', stream_id, read_model)
$$;

-- A read model that has no schema, as in the middle of a rebuild of everything, has no views meanwhile.
CREATE FUNCTION analytics.define_views() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    conversations text := analytics.schema_of('conversations');
    transcript    text := analytics.schema_of('transcript');
    generations   text := analytics.schema_of('generations');
    usage_daily   text := analytics.schema_of('usage_daily');
    attachments   text := analytics.schema_of('attachments');
BEGIN
    IF conversations IS NOT NULL THEN
        EXECUTE format($view$
            CREATE OR REPLACE VIEW analytics.conversations AS
            SELECT c.conversation_id, c.owner_id AS user_id, c.created_at, c.active_at, c.version AS events, c.temperature,
                   c.top_p, c.max_tokens, c.enable_thinking, c.enable_web_search,
                   c.system_prompt IS NOT NULL AS has_system_prompt, %2$s AS position
            FROM %1$I.conversation AS c
            $view$, conversations, analytics.position_sql('c.conversation_id', 'conversations'));
    END IF;
    IF transcript IS NOT NULL THEN
        EXECUTE format($view$
            CREATE OR REPLACE VIEW analytics.messages AS
            SELECT m.message_id, m.conversation_id, m.owner_id AS user_id, m.parent_id AS parent_message_id, m.edited_from,
                   m.generation_id, m.role, m.status, m.rating, m.provider, m.model, m.created_at, m.ended_at,
                   char_length(m.text) AS characters, char_length(m.thinking_text) AS thinking_characters, m.thinking_ms,
                   %2$s AS position
            FROM %1$I.message AS m
            $view$, transcript, analytics.position_sql('m.conversation_id', 'transcript'));
    END IF;
    IF generations IS NOT NULL THEN
        EXECUTE format($view$
            CREATE OR REPLACE VIEW analytics.generations AS
            SELECT g.generation_id, g.conversation_id, g.message_id, g.owner_id AS user_id, g.kind, g.status, g.provider, g.model,
                   g.requested_at, g.started_at, g.ended_at,
                   round(extract(epoch FROM g.started_at - g.requested_at) * 1000)::bigint AS queue_ms, g.first_token_ms,
                   round(extract(epoch FROM g.ended_at - g.started_at) * 1000)::bigint AS duration_ms, g.thinking_ms,
                   g.input_tokens, g.cached_input_tokens, g.output_tokens, g.reasoning_tokens, g.total_tokens, g.usage_source,
                   g.output_tokens / nullif(greatest(
                       extract(epoch FROM g.ended_at - g.started_at) - g.first_token_ms / 1000.0, 0), 0)::double precision
                       AS tokens_per_second,
                   g.cost_micro_usd, g.catalogue_version, g.attempts, g.finish_reason, g.error_class, g.cancel_requested,
                   g.conversation_deleted, greatest(g.epoch - 1, 0) AS takeovers,
                   CASE WHEN g.conversation_deleted THEN greatest(%2$s, %3$s) ELSE %2$s END AS position
            FROM %1$I.generation AS g
            $view$, generations, analytics.position_sql('g.generation_id', 'generations'),
            analytics.position_sql('g.conversation_id', 'generations'));
        CREATE OR REPLACE VIEW analytics.provider_errors AS
            SELECT generation_id, conversation_id, user_id, ended_at AS failed_at, provider, model, kind, status, error_class,
                   attempts, first_token_ms IS NOT NULL AS after_output, position
            FROM analytics.generations WHERE error_class IS NOT NULL;
        EXECUTE format($view$
            CREATE OR REPLACE VIEW analytics.active_users AS
            SELECT p.period, date_trunc(p.period, asked.requested_at AT TIME ZONE 'UTC')::date AS day,
                   count(DISTINCT asked.owner_id) AS users,
                   count(DISTINCT asked.owner_id) FILTER (WHERE asked.requested_at = asked.first_at) AS new_users,
                   count(*) AS requests
            FROM (SELECT g.owner_id, g.requested_at, min(g.requested_at) OVER (PARTITION BY g.owner_id) AS first_at
                  FROM %1$I.generation AS g WHERE g.owner_id IS NOT NULL) AS asked
                 CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
            GROUP BY 1, 2
            $view$, generations);
    END IF;
    IF usage_daily IS NOT NULL THEN
        EXECUTE format($view$
            CREATE OR REPLACE VIEW analytics.usage_daily AS
            SELECT u.day, u.owner_id AS user_id, u.provider, u.model, u.completed, u.cancelled, u.interrupted, u.failed,
                   u.estimated, u.input_tokens, u.cached_input_tokens, u.output_tokens, u.reasoning_tokens, u.cost_micro_usd,
                   u.titles, u.title_tokens, u.title_cost_micro_usd
            FROM %1$I.usage_day AS u
            $view$, usage_daily);
    END IF;
    IF attachments IS NOT NULL THEN
        EXECUTE format($view$
            CREATE OR REPLACE VIEW analytics.attachments AS
            SELECT a.attachment_id, a.owner_id AS user_id, a.conversation_id, a.message_id, a.origin, a.status, a.mime,
                   a.size AS size_bytes, a.pages, a.requested_at, a.ready_at, a.ended_at,
                   round(extract(epoch FROM a.ready_at - a.requested_at) * 1000)::bigint AS upload_ms, %2$s AS position
            FROM %1$I.attachment AS a
            $view$, attachments, analytics.position_sql('a.attachment_id', 'attachments'));
    END IF;
END
$$;

-- What the views and their columns mean (`slipstream analytics describe` prints it), and who may read them.
CREATE FUNCTION analytics.describe_views() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    about    text;
    position text := 'The last event of the log that the row shows, or a later one of the same %s; what an export goes on from.';
    columns  jsonb := jsonb_build_object(
        'conversations', jsonb_build_object(
            '', 'One row a conversation that is not deleted. Without its title and its instructions.',
            'created_at', 'When it was started.',
            'active_at', 'When something was last said in it, by either side.',
            'events', 'Events of its stream: the version that clients know.',
            'temperature', 'Set for all its requests; null when it is not set, like the four after it.',
            'has_system_prompt', 'Whether instructions are set for all its requests.',
            'position', format(position, 'conversation')),
        'messages', jsonb_build_object(
            '', 'One row a message, a user''s or a reply''s, of conversations that are not deleted. Without what it says.',
            'parent_message_id', 'The message it follows; null for the first one and for one that waits.',
            'edited_from', 'The message it is another version of.',
            'generation_id', 'The attempt that made it; null for a user''s.',
            'role', '`user` or `assistant`.',
            'status', 'A user''s: `posted` or `queued`. A reply''s: `running`, `completed`, `cancelled`, `interrupted`, `failed`.',
            'rating', 'What its user thinks of a reply: `up` or `down`.',
            'provider', 'Who answered; null for a user''s.',
            'created_at', 'When it was said or requested.',
            'ended_at', 'When the reply was recorded.',
            'characters', 'Length of the text in characters; null while the reply runs, and when it was erased.',
            'thinking_characters', 'Length of what the model thought first.',
            'position', format(position, 'conversation')),
        'generations', jsonb_build_object(
            '', 'One row an attempt at a reply. Rows stay when their conversation is deleted.',
            'message_id', 'The reply''s message.',
            'kind', '`chat` or `image`.',
            'status', '`requested`, `streaming`, `completed`, `cancelled`, `interrupted` or `failed`.',
            'provider', 'Who was asked. Who answered, if another model stood in, is in `messages` and `usage_daily`.',
            'queue_ms', 'From the request until a worker took it, in milliseconds.',
            'first_token_ms', 'Latency to the first token: from the first call of the provider to its first output, in milliseconds.',
            'duration_ms', 'From when a worker took it to its end, in milliseconds.',
            'cached_input_tokens', 'Part of input_tokens.',
            'reasoning_tokens', 'Part of output_tokens.',
            'usage_source', 'Who counted the tokens: `provider`, or `estimated` by us.',
            'tokens_per_second', 'Output tokens by the seconds from the first token to the end; null when either is unknown.',
            'cost_micro_usd', 'Millionths of a US dollar; null when a price is unknown.',
            'catalogue_version', 'Whose prices the cost is by.',
            'attempts', 'How often the provider was called.',
            'error_class', 'Why it failed, as in the log: `rate_limited`, `overloaded`, and others.',
            'takeovers', 'How often another worker took it over.',
            'position', format(position, 'attempt')),
        'provider_errors', jsonb_build_object(
            '', 'One row an attempt at a reply that failed for what a provider answered, or did not. Retries that helped are not in it: see generations.attempts.',
            'failed_at', 'When it was given up.',
            'after_output', 'Whether something had been shown by then.',
            'position', format(position, 'attempt')),
        'usage_daily', jsonb_build_object(
            '', 'What each user''s replies and titles took, by the UTC day they ended on, and the model that answered.',
            'estimated', 'Replies whose tokens were not counted by their provider.',
            'cached_input_tokens', 'Part of input_tokens.',
            'reasoning_tokens', 'Part of output_tokens.',
            'cost_micro_usd', 'Millionths of a US dollar, of what has a known price.',
            'titles', 'Titles that a model made; their tokens and cost are not in the columns before.'),
        'attachments', jsonb_build_object(
            '', 'One row a file whose bytes are not purged. Without its name, its place and what is in it.',
            'conversation_id', 'Where its message is; before that, where its client was.',
            'origin', 'UPLOAD, REMOTE, GENERATED, PASTED, SCREENSHOT, IMPORTED or SCRAPED.',
            'status', 'REQUESTED, UPLOADING, READY, ATTACHED, FAILED or DELETED.',
            'size_bytes', 'As announced; once ready, as found.',
            'pages', 'Pages of a document.',
            'ended_at', 'When it failed or was deleted.',
            'upload_ms', 'From its announcement until it was stored and had been checked, in milliseconds.',
            'position', format(position, 'file')),
        'active_users', jsonb_build_object(
            '', 'How many users asked for a reply, by UTC day, week (from Monday) and month.',
            'period', '`day`, `week` or `month`; numbers of users of different days must not be added up.',
            'day', 'The first day of the period.',
            'new_users', 'Those of them who had never asked before.',
            'requests', 'Replies that were asked for.'));
    shared   jsonb := jsonb_build_object(
        'user_id', 'Whose it is: an id without a name or an address.',
        'day', 'In UTC.');
    granted  boolean := EXISTS (SELECT FROM pg_roles WHERE rolname = 'slipstream_analyst');
    target   record;
BEGIN
    FOR target IN
        SELECT c.oid, c.relname, a.attname FROM pg_class AS c
        LEFT JOIN LATERAL (
            SELECT NULL AS attname UNION ALL
            SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS a ON true
        WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v'
    LOOP
        about := coalesce(columns -> target.relname ->> coalesce(target.attname, ''), shared ->> target.attname);
        IF target.attname IS NULL THEN
            EXECUTE format('COMMENT ON VIEW analytics.%I IS %L', target.relname, about);
            IF granted THEN
                EXECUTE format('GRANT SELECT ON analytics.%I TO slipstream_analyst', target.relname);
            END IF;
        ELSIF about IS NOT NULL THEN
            EXECUTE format('COMMENT ON COLUMN analytics.%I.%I IS %L', target.relname, target.attname, about);
        END IF;
    END LOOP;
END
$$;

-- Lays the views on the versions that are read now, if they do not stand there. Whoever reads a view keeps it from being
-- replaced: after a second this gives up and fails, so that nobody queues behind it; try again then.
CREATE FUNCTION analytics.define() RETURNS void
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
BEGIN
    -- One after the other: what another one has committed is seen from the next statement on.
    PERFORM pg_advisory_xact_lock(7310034172);
    IF (SELECT count(*) FROM pg_views WHERE schemaname = 'analytics') < 7
       OR EXISTS (SELECT FROM analytics.stands_on AS s
                  WHERE s.schema_id IS DISTINCT FROM to_regnamespace(analytics.schema_of(s.read_model))) THEN
        PERFORM analytics.define_views();
        PERFORM analytics.describe_views();
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'slipstream_analyst') THEN
            GRANT USAGE ON SCHEMA analytics TO slipstream_analyst;
        END IF;
        INSERT INTO analytics.stands_on AS s
        SELECT name, to_regnamespace(analytics.schema_of(name))
        FROM unnest(ARRAY['conversations', 'transcript', 'generations', 'usage_daily', 'attachments']) AS name
        WHERE analytics.schema_of(name) IS NOT NULL
        ON CONFLICT (read_model) DO UPDATE SET schema_id = excluded.schema_id;
    END IF;
END
$$;

-- In the transaction of the cut-over: it is whole with its views, or not at all. As whoever migrated and owns the views,
-- whichever role lets a version be read.
CREATE FUNCTION analytics.follow() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM analytics.define();
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION analytics.define(), analytics.define_views(), analytics.describe_views() FROM PUBLIC;

CREATE TRIGGER projector_cut_over AFTER UPDATE OF state ON es.projector
    FOR EACH STATEMENT EXECUTE FUNCTION analytics.follow();

SELECT analytics.define();
