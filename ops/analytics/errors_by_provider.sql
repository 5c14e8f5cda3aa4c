-- How often each provider fails, at what, and how often a second try helped.
SELECT g.provider, count(*) AS replies, count(e.generation_id) AS failed,
       round(100.0 * count(e.generation_id) / count(*), 2) AS failed_percent,
       count(*) FILTER (WHERE e.generation_id IS NULL AND g.attempts > 1) AS saved_by_a_retry,
       mode() WITHIN GROUP (ORDER BY e.error_class) AS most_often,
       count(*) FILTER (WHERE e.after_output) AS cut_off
FROM analytics.generations AS g
LEFT JOIN analytics.provider_errors AS e USING (generation_id)
WHERE g.ended_at IS NOT NULL
GROUP BY g.provider
ORDER BY failed_percent DESC, g.provider;
