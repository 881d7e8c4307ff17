-- What the device remembers, besides the files named by digest.
--
-- This is the whole picture of the schema as it is now: a new database is made from it. An older one
-- gets there step by step (migrate.rs); a test holds both to the same result. Whoever changes this
-- file adds a step.
--
-- The database is a cache of truth: signed manifests also lie beside it as plain files. What is
-- nowhere else is the outbox and which orders were begun.
--
-- Times are milliseconds since 1970 UTC by the device's clock.

-- Manifests as they came, proved before they were kept. At most one pending, one live, and
-- limits::GENERATIONS_KEPT earlier ones.
CREATE TABLE generation (
    version        INTEGER PRIMARY KEY,
    received_at_ms INTEGER NOT NULL,
    -- Rises each time a generation goes live. NULL: pending, never live yet. The highest is live,
    -- the next one was live before it, and so on: there is no way to write down two live ones.
    turn           INTEGER UNIQUE
) STRICT;

-- What came of each, byte for byte. Apart, because SQLite writes a row anew as a whole: going live
-- would write megabytes.
CREATE TABLE envelope (
    version INTEGER PRIMARY KEY,
    bytes   BLOB    NOT NULL
) STRICT;

CREATE TRIGGER generation_goes AFTER DELETE ON generation BEGIN
    DELETE FROM envelope WHERE version = OLD.version;
END;

-- Records for the cloud. A row goes when the cloud has acknowledged its id, or, counted, when there
-- are more than limits::OUTBOX_RECORDS.
CREATE TABLE record (
    -- Order of arrival, which is the order of sending.
    seq       INTEGER PRIMARY KEY,
    -- The record's own id: the same record twice is one row.
    id        TEXT    NOT NULL UNIQUE,
    -- 1: a proof of play, which goes first when there is no room. 0: anything else.
    droppable INTEGER NOT NULL,
    -- The record as JSON, as it will be sent.
    body      TEXT    NOT NULL,
    -- 1: the cloud does not take it, or nobody can read it. It stays for whoever looks for the
    -- mistake, is never sent again and does not count; a few of these are kept.
    refused   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Finds the oldest proofs of play without reading the bodies.
CREATE INDEX record_droppable ON record (seq) WHERE droppable = 1;

-- Orders that were begun. A row is durable before the deed starts and stays after it, so that no
-- order is done twice.
CREATE TABLE begun (
    -- Order of beginning.
    seq   INTEGER PRIMARY KEY,
    id    TEXT    NOT NULL UNIQUE,
    -- 1 once its result is in the outbox, which happens in the same transaction.
    ended INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What was said last of the player's settings, and by whom. Which word holds is decided when they are
-- read: the later one.
CREATE TABLE setting (
    -- section.key
    key   TEXT    NOT NULL,
    -- 1: the cloud. 0: the device's own files.
    afar  INTEGER NOT NULL,
    value TEXT    NOT NULL,
    -- When it was said; of the files: when it was first seen there. Microseconds.
    at_us INTEGER NOT NULL,
    by    TEXT    NOT NULL,
    PRIMARY KEY (key, afar)
) STRICT;

-- Single facts, one row.
CREATE TABLE fact (
    only            INTEGER PRIMARY KEY CHECK (only = 1),
    -- The highest manifest version ever kept for this tenant; 0: none. Never goes down.
    highest_version INTEGER NOT NULL,
    -- The latest time noted; no guess at the time may be before it. NULL: none.
    latest_time_ms  INTEGER,
    -- The version of the newest orders that were taken for this tenant; 0: none. Never goes down.
    orders_version  INTEGER NOT NULL DEFAULT 0,
    -- 1: which orders of that version were begun is lost with an earlier database.
    orders_unknown  INTEGER NOT NULL DEFAULT 0,
    -- SHA-256 of what the generation shows that a rollback took from the screen: it does not come back
    -- by itself. NULL: none.
    turned_down     BLOB,
    -- 1: the table of settings has been filled once, so that what differs from it is a change.
    settings_known  INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO fact (only, highest_version) VALUES (1, 0);
