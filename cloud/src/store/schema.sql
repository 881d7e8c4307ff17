-- The cloud's memory, version 1. Times are Unix milliseconds by the cloud's own clock unless said
-- otherwise. Every table that belongs to a tenant starts its key with the tenant, so that a query
-- without it is visibly wrong. Bytes of assets and screenshots lie in files beside the database.

-- Who owns content. The signing key lies in keys/<id>.key, never here.
CREATE TABLE tenant (
    id            TEXT PRIMARY KEY,
    operator_hash BLOB NOT NULL UNIQUE,      -- SHA-256 of the operator token
    public_key    BLOB NOT NULL,             -- of the signing key, handed to devices at pairing
    made_at       INTEGER NOT NULL,
    version       INTEGER NOT NULL DEFAULT 0,-- highest manifest version handed out; versions of all
                                             -- devices come from here, so that a device that is
                                             -- removed and paired again still only sees them rise
    edition       TEXT NOT NULL DEFAULT '{}' -- what was published last: content and its assets
) STRICT;

-- One player.
CREATE TABLE device (
    id         TEXT PRIMARY KEY,             -- unique over all tenants: an assertion names only it
    tenant     TEXT NOT NULL REFERENCES tenant (id),
    name       TEXT NOT NULL,                -- what the operator calls it
    model      TEXT NOT NULL,
    release    TEXT NOT NULL,
    public_key BLOB NOT NULL,
    made_at    INTEGER NOT NULL,
    seen_at    INTEGER,                      -- NULL: approved, not yet heard of
    heartbeat  TEXT,                         -- JSON of the last one, by the device's clock
    heartbeat_at INTEGER,                    -- device's clock: an older one never replaces a newer
    UNIQUE (tenant, id),
    UNIQUE (tenant, public_key)              -- the same machine paired again is the same device
) STRICT;

-- Pairings that wait. No tenant yet: the approval decides it.
CREATE TABLE pairing (
    device_hash BLOB PRIMARY KEY,            -- SHA-256 of the device code
    user_hash   BLOB NOT NULL UNIQUE,        -- SHA-256 of the user code
    public_key  BLOB NOT NULL,
    name        TEXT NOT NULL,
    model       TEXT NOT NULL,
    release     TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    interval_ms INTEGER NOT NULL,            -- grows when the device asks too soon
    asked_at    INTEGER,
    denied      INTEGER NOT NULL DEFAULT 0,
    device      TEXT REFERENCES device (id) ON DELETE CASCADE -- set by the approval
) STRICT;
CREATE INDEX pairing_expires ON pairing (expires_at);
CREATE INDEX pairing_device ON pairing (device);

-- Access and refresh tokens, as hashes. A family descends from one sign-in.
CREATE TABLE token (
    hash       BLOB PRIMARY KEY,
    tenant     TEXT NOT NULL,
    device     TEXT NOT NULL,
    family     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
    expires_at INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0,   -- refresh only: a second use revokes the family
    FOREIGN KEY (tenant, device) REFERENCES device (tenant, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX token_family ON token (tenant, device, family);

-- Assertions taken, until they are too old to be taken anyway.
CREATE TABLE assertion (
    device TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    jti    TEXT NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (device, jti)
) STRICT;

-- Files that a tenant uploaded: tenants/<tenant>/assets/<first two hex>/<sha256 hex>.
CREATE TABLE asset (
    tenant     TEXT NOT NULL REFERENCES tenant (id),
    sha256     TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    media_type TEXT NOT NULL,                -- as found in the bytes
    name       TEXT NOT NULL,
    PRIMARY KEY (tenant, sha256)
) STRICT, WITHOUT ROWID;

-- Content as operators left it, JSON of vitrine_wire::manifest; goes out with the next publish.
CREATE TABLE content (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    kind   TEXT NOT NULL CHECK (kind IN ('playlist', 'layout', 'schedule')),
    id     TEXT NOT NULL,                    -- '' for the one schedule
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, id)
) STRICT;

-- What each device gets for GET /manifest.
CREATE TABLE manifest (
    tenant   TEXT NOT NULL,
    device   TEXT NOT NULL,
    version  INTEGER NOT NULL,
    content  BLOB NOT NULL,                  -- SHA-256 of all but version and time: changed at all?
    envelope BLOB NOT NULL,                  -- signed, as sent
    PRIMARY KEY (tenant, device),
    FOREIGN KEY (tenant, device) REFERENCES device (tenant, id) ON DELETE CASCADE
) STRICT;

-- Things to be done once; in every new envelope of orders until answered or lapsed, then dropped.
CREATE TABLE device_order (
    tenant     TEXT NOT NULL,
    device     TEXT NOT NULL,
    id         TEXT NOT NULL,
    action     TEXT NOT NULL,                -- JSON of vitrine_wire::order::Action
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, device, id),
    FOREIGN KEY (tenant, device) REFERENCES device (tenant, id) ON DELETE CASCADE
) STRICT;

-- What devices told. Outlives its device: proof of play is wanted after the screen is gone.
CREATE TABLE record (
    seq         INTEGER PRIMARY KEY,         -- order of arrival
    tenant      TEXT NOT NULL REFERENCES tenant (id),
    device      TEXT NOT NULL,
    id          TEXT NOT NULL,
    kind        TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    body        TEXT NOT NULL,               -- JSON as sent
    UNIQUE (tenant, device, id)
) STRICT;
CREATE INDEX record_device ON record (tenant, device, seq);

-- The last screenshot of each device: tenants/<tenant>/screenshots/<device>.
CREATE TABLE screenshot (
    tenant     TEXT NOT NULL,
    device     TEXT NOT NULL,
    id         TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    taken_at   INTEGER NOT NULL,             -- when it arrived
    PRIMARY KEY (tenant, device),
    FOREIGN KEY (tenant, device) REFERENCES device (tenant, id) ON DELETE CASCADE
) STRICT;
