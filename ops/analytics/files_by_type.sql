-- What users attach, how large it is, and how much of it never arrives.
SELECT mime, origin, count(*) AS files, pg_size_pretty(sum(size_bytes)) AS bytes,
       count(*) FILTER (WHERE status = 'FAILED') AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY upload_ms) AS upload_ms_p50
FROM analytics.attachments
GROUP BY mime, origin
ORDER BY files DESC;
