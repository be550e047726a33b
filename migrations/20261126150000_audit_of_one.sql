-- Most transactions write one row, and to tell of it took most of what such a write took: a plan for any number of
-- notes, conditions that are read anew in each statement, and functions that cannot be inlined. One note is told by a
-- plan for one.

-- As before, but a row without a password is let pass unread; and columns that the shop itself moves (as an array, in the
-- third argument) are told of where others write them.
create or replace function note_row() returns trigger language plpgsql set search_path from current as $$
declare
    was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    now jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
begin
    if tg_nargs > 2 and current_setting('duka.audit', true) = 'shop' and was - tg_argv[2]::text[] = now - tg_argv[2]::text[] then
        return null;
    end if;
    if coalesce(now, was) ? 'password_hash' then
        was := without_password(was);
        now := without_password(now);
    end if;
    insert into audit_note (entity, entity_id, part_of, was, now, first)
    select
        tg_argv[0], coalesce(new.id, old.id), (coalesce(now, was) ->> tg_argv[1])::bigint,
        case when num_nonnulls(was ->> 'deleted_at', was ->> 'anonymised_at') = 0 then was end,
        case when num_nonnulls(now ->> 'deleted_at', now ->> 'anonymised_at') = 0 then now end,
        not exists (select from audit_note n where n.xid = pg_current_xact_id());
    return null;
end $$;
comment on function note_row() is
    'Row trigger (entity, the field that says what it is part of, columns that the shop may change untold): notes what the row was and is. What is marked as deleted, or made nobody, is gone.';

-- audit_mode() in a condition is parsed by every statement that meets it; these two are met by every sale.
drop trigger product_audit on product;
create trigger product_audit after insert or delete or update of
    category_id, vendor_id, name, slug, description, price, sku, brand, image_url, attributes, is_active,
    imported_rating, imported_rating_count, date_added, deleted_at
    on product for each row
    when (current_setting('duka.audit', true) is distinct from 'off')
    execute function note_row('product');

-- Stock that the shop itself moves is sold, released or returned, which is the ledger's to tell.
drop trigger variant_audit_update on variant;
create trigger variant_audit_update after update of
    product_id, position, variant_name, sku, price, stock, image_url, attributes, deleted_at
    on variant for each row
    when (current_setting('duka.audit', true) is distinct from 'off')
    execute function note_row('variant', 'product_id', '{stock,row_version,updated_at}');

-- The commit: whatever the transaction has noted, as it was told until now. How much that is nobody can estimate, and
-- joins in loops would take for ever over a lot of it.
create function write_audit_of_all() returns void language plpgsql
    set search_path from current set enable_nestloop = off set jit = off as $$
begin
    with mine as (
        delete from audit_note where xid = pg_current_xact_id() returning *
    ), thing as (
        -- From its first state to its last, however many steps there were.
        select entity, entity_id, part_of, min(seq) as seq,
               (array_agg(was order by seq))[1] as was, (array_agg(now order by seq desc))[1] as now
        from mine
        group by entity, entity_id, part_of
    ), told as (
        select t.entity, t.entity_id, t.part_of, t.seq,
               case when t.was is null then 'create' when t.now is null then 'delete' else 'update' end as verb,
               case when t.was is not null then coalesce(
                   jsonb_object_agg(f.field, audit_value(f.kind, t.was -> f.field, (select unit from price_rounding)))
                       filter (where f.field is not null), '{}') end as before,
               case when t.now is not null then coalesce(
                   jsonb_object_agg(f.field, audit_value(f.kind, t.now -> f.field, (select unit from price_rounding)))
                       filter (where f.field is not null), '{}') end as after
        from thing t
        left join audit_field f on f.entity = t.entity and t.was -> f.field is distinct from t.now -> f.field
        where num_nonnulls(t.was, t.now) > 0
        group by t.entity, t.entity_id, t.part_of, t.seq, t.was, t.now
    ), placed as (
        -- A variant belongs to its product where that was written too.
        select t.*, case when t.entity = 'link' then 'discount' when p.entity_id is not null then 'product' end as owner
        from told t
        left join told p on t.entity = 'variant' and p.entity = 'product' and p.entity_id = t.part_of
    ), part as (
        select owner as entity, part_of as entity_id, min(seq) as seq,
               case owner when 'product' then 'variants' else 'product_ids' end as field,
               jsonb_agg(
                   case owner when 'product' then jsonb_build_object('id', entity_id) || before else to_jsonb(entity_id) end
                   order by entity_id
               ) filter (where before is not null) as before,
               jsonb_agg(
                   case owner when 'product' then jsonb_build_object('id', entity_id) || after else to_jsonb(entity_id) end
                   order by entity_id
               ) filter (where after is not null) as after
        from placed
        where owner is not null and (verb <> 'update' or before <> '{}')
        group by owner, part_of
    ), entry as (
        select entity, entity_id, coalesce(t.seq, p.seq) as seq, coalesce(t.verb, 'update') as verb,
               coalesce(t.before, '{}') ||
                   case when field is null then '{}' else jsonb_build_object(field, coalesce(p.before, '[]')) end as before,
               coalesce(t.after, '{}') ||
                   case when field is null then '{}' else jsonb_build_object(field, coalesce(p.after, '[]')) end as after
        from (select * from placed where owner is null) t
        full join part p using (entity, entity_id)
    )
    insert into audit_log (action, entity, entity_id, before, after)
    select entity || '.' || verb, entity, entity_id,
           case when verb <> 'create' then before end, case when verb <> 'delete' then after end
    from entry
    where verb <> 'update' or before <> '{}'
    order by seq;
end $$;
comment on function write_audit_of_all() is 'Makes the audit rows of whatever the transaction has noted.';

-- A link is told as its discount's, so it has no line of its own.
create or replace function write_audit() returns trigger language plpgsql set search_path from current as $$
declare
    verb text := case when new.was is null then 'create' when new.now is null then 'delete' else 'update' end;
begin
    if new.entity = 'link' or exists (select from audit_note n where n.xid = new.xid and n.seq <> new.seq) then
        perform write_audit_of_all();
        return null;
    end if;
    delete from audit_note where xid = new.xid and seq = new.seq;
    -- What is recorded as a whole has taken the note away.
    if not found or new.was is null and new.now is null then
        return null;
    end if;
    insert into audit_log (action, entity, entity_id, before, after)
    select new.entity || '.' || verb, new.entity, new.entity_id,
           case when verb <> 'create' then before end, case when verb <> 'delete' then after end
    from (
        select coalesce(jsonb_object_agg(f.field, audit_value(f.kind, new.was -> f.field, (select unit from price_rounding))), '{}') as before,
               coalesce(jsonb_object_agg(f.field, audit_value(f.kind, new.now -> f.field, (select unit from price_rounding))), '{}') as after
        from audit_field f
        where f.entity = new.entity and new.was -> f.field is distinct from new.now -> f.field
    ) told
    where verb <> 'update' or before <> '{}';
    return null;
end $$;
comment on function write_audit() is 'Deferred row trigger: makes the audit rows of what the transaction has noted.';
