-- Step to version 3: a tenant's signing key can be replaced.

-- Every signing key that a tenant ever had. The highest number signs; those before it sign beside it
-- for devices that may not have followed yet. tenant.public_key is that of the highest.
CREATE TABLE signing_key (
    tenant     TEXT NOT NULL REFERENCES tenant (id),
    number     INTEGER NOT NULL,             -- from 1
    public_key BLOB NOT NULL,
    made_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT;
INSERT INTO signing_key SELECT id, 1, public_key, made_at FROM tenant;

-- The lowest number of a key that the device may have pinned, as far as is known.
ALTER TABLE device ADD COLUMN key_number INTEGER NOT NULL DEFAULT 1;
