-- What each day cost, titles included, and how much of the input was paid at the price of the cache.
SELECT day, sum(cost_micro_usd + title_cost_micro_usd) / 1e6 AS usd,
       sum(completed + cancelled + interrupted + failed) AS replies, sum(input_tokens) AS input_tokens,
       sum(output_tokens) AS output_tokens,
       round(100.0 * sum(cached_input_tokens) / nullif(sum(input_tokens), 0), 1) AS cached_percent
FROM analytics.usage_daily
GROUP BY day
ORDER BY day DESC;
