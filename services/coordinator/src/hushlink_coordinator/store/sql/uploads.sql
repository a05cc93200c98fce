-- name: find_upload^
SELECT * FROM uploads WHERE project_id = :project_id AND party = :party;

-- name: lock_upload^
SELECT * FROM uploads WHERE project_id = :project_id AND party = :party FOR UPDATE;

-- name: insert_upload^
INSERT INTO uploads (upload_id, project_id, party, state, session, schema_fingerprint, width_bits, key_check,
    encoder_version, rows_per_chunk)
VALUES (:upload_id, :project_id, :party, 'open', 1, :schema_fingerprint, :width_bits, :key_check, :encoder_version,
    :rows_per_chunk)
RETURNING *;

-- name: delete_upload!
DELETE FROM uploads WHERE upload_id = :upload_id AND state = 'open';

-- name: take_over_upload^
UPDATE uploads SET session = session + 1 WHERE upload_id = :upload_id AND state = 'open' RETURNING *;

-- name: advance_upload$
-- Keep a chunk if this stream may still write and the chunk comes next; nothing is returned if not.
WITH advanced AS (
    UPDATE uploads SET committed_rows = committed_rows + :row_count::integer
    WHERE upload_id = :upload_id AND session = :session AND state = 'open' AND committed_rows = :first_row::bigint
    RETURNING upload_id
)
INSERT INTO chunks (upload_id, first_row, row_count, digest_hash, digest_size)
SELECT upload_id, :first_row::bigint, :row_count::integer, :digest_hash::bytea, :digest_size::bigint FROM advanced
RETURNING first_row;

-- name: seal_upload^
UPDATE uploads SET state = 'sealed', seal_time = clock_timestamp(), digest_hash = :digest_hash, digest_size = :digest_size
WHERE upload_id = :upload_id AND session = :session AND state = 'open' AND committed_rows = :row_count
RETURNING *;

-- name: select_chunks
SELECT first_row, row_count, digest_hash, digest_size FROM chunks WHERE upload_id = :upload_id ORDER BY first_row;

-- name: select_dataset_chunks
SELECT u.party, c.first_row, c.row_count, c.digest_hash, c.digest_size
FROM uploads u JOIN chunks c USING (upload_id)
WHERE u.project_id = :project_id AND u.state = 'sealed'
ORDER BY u.party, c.first_row;
