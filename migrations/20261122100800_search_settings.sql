-- The settings of the search, one row a version.
--
-- The table that this one replaces had one row and was never read by any program: its synonyms had no direction,
-- and what an administrator had changed was gone.

drop table search_settings;
drop function touch_search_settings();

create table search_settings (
    version    bigint      constraint search_settings_pkey primary key constraint search_settings_version_check check (version > 0),
    settings   jsonb       not null constraint search_settings_settings_check check (jsonb_typeof(settings) = 'object'),
    created_at timestamptz not null default clock_timestamp(),
    created_by bigint      constraint search_settings_created_by_fkey references users (id) on delete restrict
);

comment on table search_settings is
    'What administrators tune of the search: the newest version holds, the others are its history. No row: the program''s defaults, version 0.';
comment on column search_settings.version is 'One more than the version before it. Every node compares the newest one with its own.';
comment on column search_settings.settings is 'synonyms, stop_words and weights, whole: what is absent is the program''s default.';
comment on column search_settings.created_at is 'When it was set, not when its transaction began: versions are in this order too.';
comment on column search_settings.created_by is 'Null: somebody at a prompt.';

create function refuse_search_settings_change() returns trigger language plpgsql as $$
begin
    raise exception 'the search settings are append-only: % refused; insert a new version', lower(tg_op)
        using errcode = 'insufficient_privilege', constraint = 'search_settings_append_only', table = 'search_settings';
end $$;
comment on function refuse_search_settings_change() is
    'Statement trigger: fails as constraint search_settings_append_only. Nodes compare versions, so that a version must say the same for ever.';

create trigger search_settings_append_only before update or delete or truncate on search_settings
    for each statement execute function refuse_search_settings_change();
