-- Operations: long jobs, the settings of the search, and who did what.

create table job (
    id                  bigint      generated always as identity constraint job_pkey primary key,
    kind                text        not null constraint job_kind_check check (kind in ('reindex', 'import')),
    status              text        not null default 'queued'
        constraint job_status_check check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    node_id             text        constraint job_node_id_check check (char_length(node_id) between 1 and 100),
    requested_by        bigint      constraint job_requested_by_fkey references users (id) on delete restrict,
    parameters          jsonb       not null default '{}' constraint job_parameters_check check (jsonb_typeof(parameters) = 'object'),
    documents_done      bigint      not null default 0 constraint job_documents_done_check check (documents_done >= 0),
    documents_total     bigint      constraint job_documents_total_check check (documents_total >= 0),
    rows_created        bigint      not null default 0 constraint job_rows_created_check check (rows_created >= 0),
    rows_updated        bigint      not null default 0 constraint job_rows_updated_check check (rows_updated >= 0),
    rows_refused        bigint      not null default 0 constraint job_rows_refused_check check (rows_refused >= 0),
    error               text        constraint job_error_check check (char_length(error) <= 4000),
    created_at          timestamptz not null default now(),
    started_at          timestamptz,
    heartbeat_at        timestamptz,
    cancel_requested_at timestamptz,
    finished_at         timestamptz,
    constraint job_finished_at_check check ((status in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null))
);

-- One reindex at a time, across all nodes.
create unique index job_reindex_key on job (kind) where kind = 'reindex' and status in ('queued', 'running');
-- Jobs whose node has died are found by their heartbeat.
create index job_live_idx on job (heartbeat_at) where status in ('queued', 'running');

comment on table job is 'Reindexing and imports that a client asked for and looks after.';
comment on column job.node_id is 'Who runs it.';
comment on column job.parameters is 'What it was asked to do, by kind (an import: dry_run, on_error).';
comment on column job.documents_done is 'Documents of a reindex, rows of an import.';
comment on column job.documents_total is 'Null while unknown: an import is streamed.';
comment on column job.heartbeat_at is 'Renewed while it runs; silent for too long, it has failed with its node.';
comment on column job.cancel_requested_at is 'Somebody wants it to stop; it does at the next opportunity.';

create table job_row_error (
    job_id bigint not null constraint job_row_error_job_id_fkey references job (id) on delete cascade,
    line   bigint not null constraint job_row_error_line_check check (line > 0),
    sku    text,
    reason text   not null constraint job_row_error_reason_check check (char_length(reason) between 1 and 1000),
    constraint job_row_error_pkey primary key (job_id, line)
);

comment on table job_row_error is 'The rows that an import refused.';
comment on column job_row_error.line is 'In the file, from 1.';
comment on column job_row_error.sku is 'As far as the row had one, however it looks.';

create table search_settings (
    singleton     boolean     not null default true constraint search_settings_pkey primary key,
    version       bigint      not null default 1 constraint search_settings_version_check check (version > 0),
    synonyms      jsonb       not null default '[]' constraint search_settings_synonyms_check check (jsonb_typeof(synonyms) = 'array'),
    stop_words    jsonb       not null default '[]' constraint search_settings_stop_words_check check (jsonb_typeof(stop_words) = 'array'),
    field_weights jsonb       not null default '{}' constraint search_settings_field_weights_check check (jsonb_typeof(field_weights) = 'object'),
    updated_at    timestamptz not null default now(),
    updated_by    bigint      constraint search_settings_updated_by_fkey references users (id) on delete restrict,
    constraint search_settings_singleton_check check (singleton)
);

insert into search_settings default values;

comment on table search_settings is 'One row: what administrators tune. Nodes compare the version with theirs.';
comment on column search_settings.version is 'Grows with every change, whoever makes it.';
comment on column search_settings.synonyms is 'List of groups, each a list of words that mean the same.';
comment on column search_settings.field_weights is 'field → weight; a field that is absent keeps the default.';

create function touch_search_settings() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    new.updated_at := now();
    return new;
end $$;
comment on function touch_search_settings() is 'Row trigger: counts and dates the change.';

create trigger search_settings_touch before update on search_settings for each row execute function touch_search_settings();

create table audit_log (
    id         bigint      generated always as identity constraint audit_log_pkey primary key,
    at         timestamptz not null default now(),
    actor_id   bigint      constraint audit_log_actor_id_fkey references users (id) on delete restrict,
    action     text        not null constraint audit_log_action_check check (char_length(action) between 1 and 100),
    entity     text        not null constraint audit_log_entity_check check (char_length(entity) between 1 and 64),
    entity_id  bigint,
    detail     jsonb       not null default '{}' constraint audit_log_detail_check check (jsonb_typeof(detail) = 'object'),
    request_id text        constraint audit_log_request_id_check check (char_length(request_id) <= 200),
    address    text        constraint audit_log_address_check check (char_length(address) <= 64)
);

create index audit_log_entity_idx on audit_log (entity, entity_id, id);

comment on table audit_log is 'What privileged people did. Rows are added; nothing changes or removes them.';
comment on column audit_log.actor_id is 'Null: the command line.';
comment on column audit_log.action is 'As `entity.verb`, such as `order.refund`.';
comment on column audit_log.detail is 'What changed. Never a secret, and nothing personal that anonymising would have to find here.';
comment on column audit_log.address is 'The client''s network address.';

create function refuse_audit_change() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only: % refused', lower(tg_op)
        using errcode = 'insufficient_privilege', constraint = 'audit_log_append_only', table = 'audit_log';
end $$;
comment on function refuse_audit_change() is 'Statement trigger: fails as constraint audit_log_append_only.';

create trigger audit_log_append_only before update or delete or truncate on audit_log
    for each statement execute function refuse_audit_change();
