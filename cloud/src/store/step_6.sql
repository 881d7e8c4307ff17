-- A yes given in advance: whoever holds the token becomes the tenant's device without a code.
CREATE TABLE enrollment (
    hash       BLOB PRIMARY KEY,             -- SHA-256 of the token
    id         TEXT NOT NULL UNIQUE,         -- to end it by
    tenant     TEXT NOT NULL REFERENCES tenant (id),
    uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
    made_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX enrollment_tenant ON enrollment (tenant, made_at);
