-- name: lock_lease$
-- Whether the fence still holds; the lock keeps it so until the transaction ends.
SELECT true FROM runs WHERE run_id = :run_id AND fence = :fence FOR UPDATE;

-- name: count_tiles$
SELECT count(*) FROM tiles WHERE run_id = :run_id;

-- name: insert_tiles*!
INSERT INTO tiles (run_id, tile_index, tile_name, left_dataset, left_first_row, left_rows, right_dataset,
    right_first_row, right_rows, comparisons)
VALUES (:run_id, :tile_index, :tile_name, :left_dataset, :left_first_row, :left_rows, :right_dataset,
    :right_first_row, :right_rows, :comparisons);

-- name: record_plan!
UPDATE runs SET (tiles_total, comparisons_total) = (
    SELECT count(*), coalesce(sum(comparisons), 0) FROM tiles WHERE run_id = :run_id)
WHERE run_id = :run_id;

-- name: select_tiles
SELECT * FROM tiles WHERE run_id = :run_id ORDER BY tile_index;

-- name: finish_tile!
UPDATE tiles SET run_pairs = :run_pairs, matcher_id = :matcher_id, busy_nanos = :busy_nanos, done_time = clock_timestamp()
WHERE run_id = :run_id AND tile_index = :tile_index AND run_pairs IS NULL;

-- name: count_finished_tile!
UPDATE runs SET tiles_done = tiles_done + 1, candidate_pairs = candidate_pairs + :pairs
WHERE run_id = :run_id;

-- name: insert_merged_run!
INSERT INTO merged_runs (run_id, object_name, left_dataset, right_dataset, pair_count)
VALUES (:run_id, :object_name, :left_dataset, :right_dataset, :pair_count)
ON CONFLICT (run_id, object_name) DO NOTHING;

-- name: select_merged_runs
SELECT object_name, left_dataset, right_dataset, pair_count FROM merged_runs WHERE run_id = :run_id ORDER BY object_name;

-- name: insert_result!
INSERT INTO results (run_id, digest_hash, digest_size, group_count, member_count, candidate_pairs, dataset_rows,
    page_offsets, page_first_groups)
VALUES (:run_id, :digest_hash, :digest_size, :group_count, :member_count, :candidate_pairs, :dataset_rows,
    :page_offsets, :page_first_groups)
ON CONFLICT (run_id) DO NOTHING;

-- name: find_result^
SELECT * FROM results WHERE run_id = :run_id;
