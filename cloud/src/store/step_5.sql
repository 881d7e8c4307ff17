-- Step to version 5: room for assets, tenant by tenant.

ALTER TABLE tenant ADD COLUMN quota_bytes INTEGER; -- for all assets together; NULL: as the disk has
