-- The hundred users who cost most in the last 30 days, and the model that most of it went to.
SELECT user_id, sum(usd) AS usd, sum(replies) AS replies, (array_agg(model ORDER BY usd DESC))[1] AS dearest_model
FROM (SELECT user_id, model, sum(cost_micro_usd + title_cost_micro_usd) / 1e6 AS usd,
             sum(completed + cancelled + interrupted + failed) AS replies
      FROM analytics.usage_daily
      WHERE day > (now() AT TIME ZONE 'UTC')::date - 30
      GROUP BY user_id, model) AS by_model
GROUP BY user_id
ORDER BY usd DESC
LIMIT 100;
