-- A ticket is worth no more than what it was issued to: it goes with its session, and the socket that it opens is closed
-- when that is over. Null for those who are signed in without a session, and for an end that nothing sets.

ALTER TABLE vault.ticket
    ADD COLUMN session_id uuid REFERENCES vault.session (session_id) ON DELETE CASCADE,
    ADD COLUMN until      timestamptz;

CREATE INDEX ticket_by_session ON vault.ticket (session_id);
