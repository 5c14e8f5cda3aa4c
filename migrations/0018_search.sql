-- Search over what was said (projections/src/transcript/search.rs): an index over the transcript, so that what is deleted or
-- erased there can be found no more. Only an index: the rows are as they were, so there is no new version to build.
--
-- Its first word is the owner's id: the words of a query and whose they are is one look-up. Of a very long message only the
-- beginning can be found; all of it might be more than a text search vector holds, and would keep the row from being written.
-- While the index is made, the transcript is read as ever, and written when it is done.

CREATE INDEX message_search ON rm_transcript_v2.message USING gin ((
    to_tsvector('simple', left(coalesce(text, ''), 100000)) || array_to_tsvector(ARRAY[coalesce(owner_id::text, '-')])
));
