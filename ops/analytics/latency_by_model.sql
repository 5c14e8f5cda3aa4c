-- How long users wait for the first token, by model and hour, and how fast the rest comes.
SELECT provider, model, date_trunc('hour', requested_at) AS hour, count(*) AS replies,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY queue_ms + first_token_ms) AS first_token_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY queue_ms + first_token_ms) AS first_token_ms_p99,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY tokens_per_second) AS tokens_per_second_p50
FROM analytics.generations
WHERE kind = 'chat' AND status = 'completed'
GROUP BY provider, model, hour
ORDER BY hour DESC, provider, model;
