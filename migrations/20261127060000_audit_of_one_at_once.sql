-- To tell of one note still took a quarter of what PostgreSQL did for a write: statements that only ask whether there are
-- other notes, and one that is laid out for any number of fields. The transaction remembers how much it has noted, and the
-- fields of one thing are compared where they are.

-- What the transaction has noted that is not told yet, in a setting that ends with it, and goes back with its savepoints.
create function count_note() returns boolean language plpgsql as $$
declare
    xid text := pg_current_xact_id()::text;
    noted text := coalesce(current_setting('duka.noted', true), '');
    is_first boolean := noted not in (xid, xid || '+');
begin
    noted := set_config('duka.noted', case when is_first then xid else xid || '+' end, true);
    return is_first;
end $$;
comment on function count_note() is
    'Counts a note of the transaction in the setting duka.noted, and says whether it is the first. The setting is the transaction''s id where it has noted one thing, with a plus sign where it has noted more.';

create or replace function note_row() returns trigger language plpgsql set search_path from current as $$
declare
    was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    now jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    id bigint := coalesce(new.id, old.id);
    part_of bigint := (coalesce(now, was) ->> tg_argv[1])::bigint;
begin
    if tg_nargs > 2 and current_setting('duka.audit', true) = 'shop' and was - tg_argv[2]::text[] = now - tg_argv[2]::text[] then
        return null;
    end if;
    if coalesce(now, was) ? 'password_hash' then
        was := without_password(was);
        now := without_password(now);
    end if;
    was := case when num_nonnulls(was ->> 'deleted_at', was ->> 'anonymised_at') = 0 then was end;
    now := case when num_nonnulls(now ->> 'deleted_at', now ->> 'anonymised_at') = 0 then now end;
    insert into audit_note (entity, entity_id, part_of, was, now, first)
    values (tg_argv[0], id, part_of, was, now, count_note());
    return null;
end $$;

create or replace function note_search_settings() returns trigger language plpgsql set search_path from current as $$
begin
    insert into audit_note (entity, entity_id, was, now, first)
    select 'search_settings', new.version,
           coalesce((select settings from search_settings where version < new.version order by version desc limit 1), '{}'),
           new.settings, count_note();
    return null;
end $$;

create or replace function note_links() returns trigger language plpgsql set search_path from current as $$
begin
    if audit_mode() = 'off' then
        return null;
    end if;
    if tg_op <> 'INSERT' then
        insert into audit_note (entity, entity_id, part_of, was, first)
        select 'link', product_id, discount_id, '{}', count_note() from was;
    end if;
    if tg_op <> 'DELETE' then
        insert into audit_note (entity, entity_id, part_of, now, first)
        select 'link', product_id, discount_id, '{}', count_note() from changed;
    end if;
    return null;
end $$;

-- A link is told as its discount's, so it has no line of its own. Notes come and go: the table is as good as empty whenever
-- it is counted, and full of what has gone. To look through all of it took a fifth of this.
create or replace function write_audit() returns trigger language plpgsql
    set search_path from current set enable_seqscan = off set jit = off as $$
declare
    is_alone boolean := new.entity <> 'link' and current_setting('duka.noted', true) = new.xid::text;
    was jsonb := new.was;
    now jsonb := new.now;
    verb text := case when was is null then 'create' when now is null then 'delete' else 'update' end;
    before jsonb := '{}';
    after jsonb := '{}';
    names text[];
    kinds text[];
    unit bigint;
    -- Also where constraints are not deferred: the next note is the first again.
    noted text := set_config('duka.noted', '', true);
begin
    if is_alone is distinct from true then
        perform write_audit_of_all();
        return null;
    end if;
    delete from audit_note where xid = new.xid and seq = new.seq;
    -- What is recorded as a whole has taken the note away.
    if not found or was is null and now is null then
        return null;
    end if;
    select array_agg(field), array_agg(kind) into names, kinds from audit_field where entity = new.entity;
    for i in 1 .. coalesce(cardinality(names), 0) loop
        if was -> names[i] is not distinct from now -> names[i] then
            continue;
        end if;
        if kinds[i] = 'plain' then
            before := before || jsonb_build_object(names[i], was -> names[i]);
            after := after || jsonb_build_object(names[i], now -> names[i]);
        else
            if unit is null then
                select p.unit into unit from price_rounding p;
            end if;
            before := before || jsonb_build_object(names[i], audit_value(kinds[i], was -> names[i], unit));
            after := after || jsonb_build_object(names[i], audit_value(kinds[i], now -> names[i], unit));
        end if;
    end loop;
    if verb = 'update' and before = '{}' then
        return null;
    end if;
    insert into audit_log (action, entity, entity_id, before, after)
    values (
        new.entity || '.' || verb, new.entity, new.entity_id,
        case when verb <> 'create' then before end, case when verb <> 'delete' then after end
    );
    return null;
end $$;
