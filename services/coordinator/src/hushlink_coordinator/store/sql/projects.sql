-- name: insert_project!
INSERT INTO projects (project_id, name, notes, schema_json, schema_fingerprint, width_bits, key_check, metric, result_type)
VALUES (:project_id, :name, :notes, :schema_json, :schema_fingerprint, :width_bits, :key_check, :metric, :result_type);

-- name: insert_parties!
INSERT INTO parties (project_id, party, name)
SELECT :project_id::text, party - 1, name FROM unnest(:names::text[]) WITH ORDINALITY AS named (name, party);

-- name: insert_right!
INSERT INTO rights (token_hash, project_id, role, party) VALUES (:token_hash, :project_id, :role, :party);

-- name: find_grant^
-- The grant of a right; none for a project that is being deleted.
SELECT r.role, r.project_id, r.party
FROM rights r JOIN projects p USING (project_id)
WHERE r.token_hash = :token_hash AND p.delete_time IS NULL;

-- name: project_exists$
SELECT EXISTS (SELECT FROM projects WHERE project_id = :project_id AND delete_time IS NULL);

-- name: select_projects
-- A page of projects before a place in the order (newest first); one project where only_id is given.
SELECT * FROM projects
WHERE delete_time IS NULL
  AND (:only_id::text IS NULL OR project_id = :only_id)
  AND (:before_time::timestamptz IS NULL OR (create_time, project_id) < (:before_time, :before_id::text))
ORDER BY create_time DESC, project_id DESC
LIMIT :page_size;

-- name: select_parties
SELECT p.project_id, p.party, p.name, u.seal_time IS NOT NULL AS sealed,
    CASE WHEN u.seal_time IS NULL THEN 0 ELSE u.committed_rows END AS row_count
FROM parties p LEFT JOIN uploads u USING (project_id, party)
WHERE p.project_id = ANY (:project_ids::text[])
ORDER BY p.project_id, p.party;

-- name: lock_agreement^
SELECT schema_fingerprint, width_bits, key_check FROM projects
WHERE project_id = :project_id AND delete_time IS NULL FOR UPDATE;

-- name: update_agreement!
UPDATE projects SET schema_fingerprint = :schema_fingerprint, width_bits = :width_bits, key_check = :key_check
WHERE project_id = :project_id;

-- name: begin_deletion!
UPDATE projects SET delete_time = clock_timestamp() WHERE project_id = :project_id AND delete_time IS NULL;

-- name: cancel_runs_of_project
UPDATE runs SET cancel_requested = true
WHERE project_id = :project_id AND state NOT IN ('succeeded', 'failed', 'cancelled')
RETURNING run_id;

-- name: project_is_worked_on$
SELECT EXISTS (
    SELECT FROM runs
    WHERE project_id = :project_id AND lease_holder IS NOT NULL AND lease_until > clock_timestamp());

-- name: select_deletions
-- Projects whose deletion began some time ago and whose runs nobody works on any more.
SELECT project_id FROM projects p
WHERE delete_time <= clock_timestamp() - make_interval(secs => :begun_seconds::double precision)
  AND NOT EXISTS (
      SELECT FROM runs r
      WHERE r.project_id = p.project_id AND r.lease_holder IS NOT NULL AND r.lease_until > clock_timestamp());

-- name: delete_project!
DELETE FROM projects WHERE project_id = :project_id AND delete_time IS NOT NULL;

-- name: insert_audit_entry!
INSERT INTO audit_entries (actor, action, project_id, subject, facts)
VALUES (:actor, :action, :project_id, :subject, :facts::jsonb);
