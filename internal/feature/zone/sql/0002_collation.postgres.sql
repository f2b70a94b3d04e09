-- Names are compared byte by byte, as SQLite does, whatever the database's locale.
ALTER TABLE zone_zone ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE zone_zone ALTER COLUMN place TYPE TEXT COLLATE "C";
