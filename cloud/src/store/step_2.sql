-- Step to version 2: orders have an envelope of their own.

-- What each device gets for GET /orders, as of its newest order.
CREATE TABLE order_envelope (
    tenant   TEXT NOT NULL,
    device   TEXT NOT NULL,
    version  INTEGER NOT NULL,               -- counted with those of manifests
    envelope BLOB NOT NULL,                  -- signed, as sent
    PRIMARY KEY (tenant, device),
    FOREIGN KEY (tenant, device) REFERENCES device (tenant, id) ON DELETE CASCADE
) STRICT;

-- Orders of before lie in manifests, which nobody reads for that any more.
DELETE FROM device_order;
