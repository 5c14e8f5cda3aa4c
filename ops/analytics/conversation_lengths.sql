-- How long conversations are: how many messages and how many characters of each side.
SELECT width_bucket(messages, ARRAY[3, 5, 9, 17, 33, 65]) AS bucket, min(messages) AS shortest, max(messages) AS longest,
       count(*) AS conversations, round(avg(asked)) AS characters_asked, round(avg(answered)) AS characters_answered
FROM (SELECT conversation_id, count(*) AS messages,
             coalesce(sum(characters) FILTER (WHERE role = 'user'), 0) AS asked,
             coalesce(sum(characters) FILTER (WHERE role = 'assistant'), 0) AS answered
      FROM analytics.messages GROUP BY conversation_id) AS conversations
GROUP BY bucket
ORDER BY bucket;
