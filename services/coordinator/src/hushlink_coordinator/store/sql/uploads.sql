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
-- Have a new stream go on at a row where a chunk begins or the kept rows end, and forget what is kept behind it: how far
-- an upload was, as somebody was told, may be outdated by what was still on its way. Nothing is returned for other rows.
WITH taken AS (
    UPDATE uploads u SET session = session + 1, committed_rows = :first_row::bigint
    WHERE upload_id = :upload_id AND state = 'open' AND (
        committed_rows = :first_row::bigint
        OR EXISTS (SELECT FROM chunks c WHERE c.upload_id = u.upload_id AND c.first_row = :first_row::bigint))
    RETURNING u.*
), forgotten AS (
    DELETE FROM chunks c USING taken WHERE c.upload_id = taken.upload_id AND c.first_row >= :first_row::bigint
)
SELECT * FROM taken;

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
