-- name: insert_run^
-- A run, unless one was created for the same request.
INSERT INTO runs (run_id, project_id, request_id, name, notes, threshold, metric)
SELECT :run_id::text, project_id, :request_id::text, :name::text, :notes::text, :threshold::double precision, metric
FROM projects
WHERE project_id = :project_id AND delete_time IS NULL
ON CONFLICT (project_id, request_id) DO NOTHING
RETURNING *;

-- name: find_run_by_request^
SELECT * FROM runs WHERE project_id = :project_id AND request_id = :request_id;

-- name: find_run^
-- A run with its stages, all as of one moment.
SELECT r.*, s.* FROM runs r CROSS JOIN LATERAL (
    SELECT array_agg(state ORDER BY start_time) AS stages, array_agg(start_time ORDER BY start_time) AS stage_starts,
        array_agg(end_time ORDER BY start_time) AS stage_ends
    FROM run_stages WHERE run_id = r.run_id) s
WHERE project_id = :project_id AND run_id = :run_id;

-- name: select_runs
SELECT r.*, s.* FROM runs r CROSS JOIN LATERAL (
    SELECT array_agg(state ORDER BY start_time) AS stages, array_agg(start_time ORDER BY start_time) AS stage_starts,
        array_agg(end_time ORDER BY start_time) AS stage_ends
    FROM run_stages WHERE run_id = r.run_id) s
WHERE project_id = :project_id
  AND (:before_time::timestamptz IS NULL OR (create_time, run_id) < (:before_time, :before_id::text))
ORDER BY create_time DESC, run_id DESC
LIMIT :page_size;

-- name: request_cancel$
-- Ask for a run's end; it ends here and now if nobody works on it. Returns its state, or nothing if it had ended.
WITH found AS (
    SELECT run_id, coalesce(lease_holder IS NOT NULL AND lease_until > clock_timestamp(), false) AS held FROM runs
    WHERE project_id = :project_id AND run_id = :run_id AND state NOT IN ('succeeded', 'failed', 'cancelled')
    FOR UPDATE
), asked AS (
    UPDATE runs r SET cancel_requested = true,
        state = CASE WHEN held THEN state ELSE 'cancelled' END,
        end_time = CASE WHEN held THEN NULL ELSE statement_timestamp() END,
        fence = CASE WHEN held THEN fence ELSE fence + 1 END
    FROM found WHERE r.run_id = found.run_id
    RETURNING r.run_id, r.state
), left_behind AS (
    UPDATE run_stages s SET end_time = statement_timestamp() FROM asked
    WHERE s.run_id = asked.run_id AND asked.state = 'cancelled' AND s.end_time IS NULL
)
SELECT state FROM asked;

-- name: select_ended_with_pairs
-- Runs that have ended and whose sorted runs of pairs may still be in the object store.
SELECT project_id, run_id FROM runs
WHERE pairs_left AND state IN ('succeeded', 'failed', 'cancelled')
ORDER BY end_time LIMIT 100;

-- name: remember_pairs!
UPDATE runs SET pairs_left = true WHERE run_id = :run_id AND NOT pairs_left;

-- name: forget_pairs!
UPDATE runs SET pairs_left = false WHERE run_id = :run_id;

-- name: claim_run^
-- Take the lease of the oldest run that can go on: its datasets are sealed and nobody works on it.
UPDATE runs SET lease_holder = :holder, fence = fence + 1,
    lease_until = clock_timestamp() + make_interval(secs => :lease_seconds::double precision)
WHERE run_id = (
    SELECT r.run_id FROM runs r JOIN projects p USING (project_id)
    WHERE p.delete_time IS NULL AND r.state NOT IN ('succeeded', 'failed', 'cancelled')
      AND (r.lease_until IS NULL OR r.lease_until <= clock_timestamp())
      AND (r.cancel_requested OR NOT EXISTS (
          SELECT FROM parties t LEFT JOIN uploads u USING (project_id, party)
          WHERE t.project_id = r.project_id AND u.seal_time IS NULL))
    ORDER BY r.create_time, r.run_id
    FOR UPDATE OF r SKIP LOCKED
    LIMIT 1
)
RETURNING run_id, project_id, fence, state, attempts;

-- name: renew_lease$
-- Whether the run is to be cancelled; nothing if the lease is lost.
UPDATE runs SET lease_until = clock_timestamp() + make_interval(secs => :lease_seconds::double precision)
WHERE run_id = :run_id AND fence = :fence AND lease_holder IS NOT NULL
RETURNING cancel_requested;

-- name: release_lease$
-- Give a lease back; nothing if it is lost.
UPDATE runs SET lease_holder = NULL, attempts = :attempts,
    lease_until = clock_timestamp() + make_interval(secs => :retry_seconds::double precision)
WHERE run_id = :run_id AND fence = :fence
RETURNING run_id;

-- name: enter_stage$
-- Move a run to a stage, leave the one before; nothing if the lease is lost.
WITH moved AS (
    UPDATE runs SET state = :state::text,
        stage_fraction = CASE WHEN state = :state::text THEN stage_fraction ELSE 0 END,
        attempts = CASE WHEN state = :state::text THEN attempts ELSE 0 END
    WHERE run_id = :run_id AND fence = :fence
    RETURNING run_id
), left_behind AS (
    UPDATE run_stages s SET end_time = statement_timestamp() FROM moved
    WHERE s.run_id = moved.run_id AND s.state <> :state::text AND s.end_time IS NULL
), entered AS (
    INSERT INTO run_stages (run_id, state, start_time) SELECT run_id, :state::text, statement_timestamp() FROM moved
    ON CONFLICT (run_id, state) DO UPDATE SET end_time = NULL
)
SELECT run_id FROM moved;

-- name: end_run$
WITH ended AS (
    UPDATE runs SET state = :state, end_time = statement_timestamp(), lease_holder = NULL, lease_until = NULL,
        failure_reason = :failure_reason, failure_message = :failure_message
    WHERE run_id = :run_id AND fence = :fence AND state NOT IN ('succeeded', 'failed', 'cancelled')
    RETURNING run_id
), left_behind AS (
    UPDATE run_stages s SET end_time = statement_timestamp() FROM ended WHERE s.run_id = ended.run_id AND s.end_time IS NULL
)
SELECT run_id FROM ended;

-- name: report_progress$
-- Nothing here ever goes back, whoever reports.
UPDATE runs SET stage_fraction = GREATEST(stage_fraction, :stage_fraction::double precision),
    comparisons_done = GREATEST(comparisons_done, LEAST(:comparisons_done::bigint, comparisons_total)),
    group_count = GREATEST(group_count, :group_count::bigint)
WHERE run_id = :run_id AND fence = :fence AND state = :state
RETURNING run_id;
