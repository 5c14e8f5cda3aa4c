-- What users think of the replies of each model, and how often they asked for another one.
SELECT provider, model, count(*) AS replies, count(*) FILTER (WHERE rating = 'up') AS up,
       count(*) FILTER (WHERE rating = 'down') AS down,
       count(*) FILTER (WHERE nth > 1) AS asked_again
FROM (SELECT provider, model, rating, row_number() OVER (PARTITION BY parent_message_id ORDER BY created_at) AS nth
      FROM analytics.messages WHERE role = 'assistant') AS replies
GROUP BY provider, model
ORDER BY replies DESC;
