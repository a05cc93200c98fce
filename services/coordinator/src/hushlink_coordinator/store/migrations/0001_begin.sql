-- Facts only: no row per record, per pair or per group.

CREATE TABLE projects (
    project_id text PRIMARY KEY,
    name text NOT NULL,
    notes text NOT NULL,
    schema_json text NOT NULL,
    -- What the encodings of all parties have in common; empty and 0 until a schema or a first sealed upload fixes them.
    schema_fingerprint bytea NOT NULL,
    width_bits integer NOT NULL,
    key_check bytea NOT NULL,
    metric text NOT NULL,
    result_type text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Set when deletion began: nobody reaches the project any more, the janitor finishes what is left.
    delete_time timestamptz
);
CREATE INDEX projects_by_age ON projects (create_time DESC, project_id DESC) WHERE delete_time IS NULL;
CREATE INDEX projects_to_delete ON projects (project_id) WHERE delete_time IS NOT NULL;

CREATE TABLE parties (
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    party integer NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (project_id, party)
);

-- Of a right only its SHA-256 is kept.
CREATE TABLE rights (
    token_hash bytea PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'party')),
    party integer,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((role = 'party') = (party IS NOT NULL))
);
CREATE INDEX rights_by_project ON rights (project_id);

CREATE TABLE uploads (
    upload_id text PRIMARY KEY,
    project_id text NOT NULL,
    party integer NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'sealed')),
    -- Which stream may write: each new one takes the next number.
    session bigint NOT NULL,
    schema_fingerprint bytea NOT NULL,
    width_bits integer NOT NULL,
    key_check bytea NOT NULL,
    encoder_version text NOT NULL,
    rows_per_chunk integer NOT NULL,
    committed_rows bigint NOT NULL DEFAULT 0,
    digest_hash bytea,
    digest_size bigint,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    seal_time timestamptz,
    UNIQUE (project_id, party),
    FOREIGN KEY (project_id, party) REFERENCES parties ON DELETE CASCADE,
    CHECK ((state = 'sealed') = (seal_time IS NOT NULL AND digest_hash IS NOT NULL AND digest_size IS NOT NULL))
);

CREATE TABLE chunks (
    upload_id text NOT NULL REFERENCES uploads ON DELETE CASCADE,
    first_row bigint NOT NULL,
    row_count integer NOT NULL CHECK (row_count > 0),
    digest_hash bytea NOT NULL,
    digest_size bigint NOT NULL,
    PRIMARY KEY (upload_id, first_row)
);

CREATE TABLE runs (
    run_id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects ON DELETE CASCADE,
    request_id text,
    name text NOT NULL,
    notes text NOT NULL,
    threshold double precision NOT NULL CHECK (threshold > 0 AND threshold <= 1),
    metric text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'planning', 'comparing', 'merging', 'solving',
        'publishing', 'succeeded', 'failed', 'cancelled')),
    stage_fraction double precision NOT NULL DEFAULT 0,
    comparisons_done bigint NOT NULL DEFAULT 0,
    comparisons_total bigint NOT NULL DEFAULT 0,
    tiles_done bigint NOT NULL DEFAULT 0,
    tiles_total bigint NOT NULL DEFAULT 0,
    candidate_pairs bigint NOT NULL DEFAULT 0,
    group_count bigint NOT NULL DEFAULT 0,
    failure_reason text,
    failure_message text,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    end_time timestamptz,
    -- The lease: who works on it, until when unless renewed, and the fence that every write of the work must carry.
    lease_holder text,
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    -- Whether its sorted runs of pairs may still be in the object store.
    pairs_left boolean NOT NULL DEFAULT true,
    UNIQUE (project_id, request_id)
);
CREATE INDEX runs_by_age ON runs (project_id, create_time DESC, run_id DESC);
CREATE INDEX runs_to_do ON runs (create_time, run_id) WHERE state NOT IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX runs_to_tidy ON runs (end_time) WHERE pairs_left AND state IN ('succeeded', 'failed', 'cancelled');

CREATE TABLE run_stages (
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    state text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (run_id, state)
);

CREATE TABLE tiles (
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    tile_index integer NOT NULL,
    -- Computed from what is compared and how; its sorted runs of pairs rest under this name.
    tile_name text NOT NULL,
    left_dataset integer NOT NULL,
    left_first_row bigint NOT NULL,
    left_rows bigint NOT NULL,
    right_dataset integer,
    right_first_row bigint,
    right_rows bigint,
    comparisons bigint NOT NULL,
    -- How many pairs each of its sorted runs has; NULL until the tile is compared.
    run_pairs integer[],
    matcher_id text,
    busy_nanos bigint,
    done_time timestamptz,
    PRIMARY KEY (run_id, tile_index)
);

-- Sorted runs of pairs that a merging pass made of several others.
CREATE TABLE merged_runs (
    run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
    object_name text NOT NULL,
    left_dataset integer NOT NULL,
    right_dataset integer NOT NULL,
    pair_count bigint NOT NULL,
    PRIMARY KEY (run_id, object_name)
);

CREATE TABLE results (
    run_id text PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    digest_hash bytea NOT NULL,
    digest_size bigint NOT NULL,
    group_count bigint NOT NULL,
    member_count bigint NOT NULL,
    candidate_pairs bigint NOT NULL,
    dataset_rows bigint[] NOT NULL,
    page_offsets bigint[] NOT NULL,
    page_first_groups bigint[] NOT NULL
);

-- Who did what, when; outlives the project.
CREATE TABLE audit_entries (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    project_id text NOT NULL,
    subject text NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_entries_by_project ON audit_entries (project_id, entry_id);
