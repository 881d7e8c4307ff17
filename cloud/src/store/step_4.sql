-- Step to version 4: settings of players.

CREATE TABLE setting (
    tenant     TEXT NOT NULL REFERENCES tenant (id),
    device     TEXT NOT NULL,                -- '' for all that have none of their own
    key        TEXT NOT NULL,                -- section.key of the player's settings file
    value      TEXT NOT NULL,
    updated_at INTEGER NOT NULL,             -- microseconds: two words within one are none
    by         TEXT NOT NULL,
    PRIMARY KEY (tenant, device, key)
) STRICT;
