-- Work that one process at a time does for all, by name (crate `eventlog`). An owner that dies without a word is
-- followed when lease_until has passed; owner is null when it has given the lease back.
CREATE TABLE es.lease (
    name        text        PRIMARY KEY,
    owner       text,
    lease_until timestamptz NOT NULL
);
