-- Who is there: users and newcomers by month, and how many came back the month after.
WITH monthly AS (
    SELECT DISTINCT user_id, date_trunc('month', requested_at AT TIME ZONE 'UTC')::date AS month
    FROM analytics.generations
)
SELECT a.day AS month, a.users, a.new_users, a.requests, count(back.user_id) AS came_back
FROM analytics.active_users AS a
JOIN monthly AS m ON m.month = a.day
LEFT JOIN monthly AS back ON back.user_id = m.user_id AND back.month = m.month + interval '1 month'
WHERE a.period = 'month'
GROUP BY a.day, a.users, a.new_users, a.requests
ORDER BY month;
