-- The audit: who changed what, from what to what, in which request.
--
-- Triggers, not code paths: a write that nobody thought of is recorded too, and so is one at a prompt. Who writes
-- is said by the transaction, in settings that end with it:
--
--   duka.audit       unset: somebody at a prompt. `shop`, which every connection of the program begins with: its
--                    own work, and its customers'. `user`: a vendor or an administrator. `off`: an act that
--                    records itself as a whole, such as an import.
--   duka.actor_id    the user's id
--   duka.request_id  as in X-Request-Id
--   duka.address     the client's network address
--
-- One thing that changed in a transaction is one row, whatever number of statements it took; its parts (a product's
-- variants, a discount's links) belong to it. So triggers only note what each row was and is, and the row of the
-- log is written when the transaction commits, from the first state and the last.

alter table audit_log rename column detail to after;
alter table audit_log rename constraint audit_log_detail_check to audit_log_after_check;
alter table audit_log
    add column before jsonb constraint audit_log_before_check check (jsonb_typeof(before) = 'object'),
    alter column after drop not null,
    alter column after drop default,
    alter column at set default clock_timestamp(),
    alter column actor_id set default nullif(current_setting('duka.actor_id', true), '')::bigint,
    alter column request_id set default nullif(current_setting('duka.request_id', true), ''),
    alter column address set default nullif(current_setting('duka.address', true), '');

comment on table audit_log is 'What privileged people changed. Rows are added; nothing changes or removes them.';
comment on column audit_log.at is 'When it was written down: at the end of its transaction.';
comment on column audit_log.actor_id is 'Null: the command line, a prompt, or the shop itself.';
comment on column audit_log.action is 'As `entity.verb`: create, update, delete, or a word of the entity''s own, such as catalog.import.';
comment on column audit_log.entity_id is 'Null where an act is of no one row.';
comment on column audit_log.before is
    'What it was: null when it was not, else every field when it is gone, else those that changed. Of a list (a product''s variants, a discount''s products) only the entries that changed. Never a secret; a personal field is named, and null.';
comment on column audit_log.after is 'What it is: null when it is gone, else as `before`.';

-- One for each filter of the list, newest first.
drop index audit_log_entity_idx;
create index audit_log_at_idx on audit_log (at, id);
create index audit_log_actor_idx on audit_log (actor_id, at, id) where actor_id is not null;
create index audit_log_action_idx on audit_log (action, at, id);
create index audit_log_entity_idx on audit_log (entity, at, id);
-- Also finds an id whatever it is of.
create index audit_log_entity_id_idx on audit_log (entity_id, entity, at, id) where entity_id is not null;
create index audit_log_request_id_idx on audit_log (request_id, at, id) where request_id is not null;

-- What is noted until the transaction commits ---------------------------------------------------------------

-- Nobody but its own transaction ever sees a row of it, so that a crash has nothing to bring back.
create unlogged table audit_note (
    xid       xid8    not null default pg_current_xact_id(),
    seq       bigint  not null generated always as identity,
    entity    text    not null,
    entity_id bigint  not null,
    part_of   bigint,
    was       jsonb,
    now       jsonb,
    first     boolean not null,
    constraint audit_note_pkey primary key (xid, seq)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

comment on table audit_note is 'What the transactions that now run have changed so far. Each one''s commit takes its own away, and writes audit_log.';
comment on column audit_note.entity is 'As in audit_log; also `link`: a product (entity_id) of a discount (part_of).';
comment on column audit_note.part_of is 'The product of a variant, the discount of a link.';
comment on column audit_note.was is 'The row before; null when it was not there, or deleted.';
comment on column audit_note.now is 'The row after; null when it is not there, or deleted.';
comment on column audit_note.first is 'The first of its transaction: the one that the commit is told of.';

create function audit_mode() returns text language sql stable as $$
    select coalesce(current_setting('duka.audit', true), '')
$$;
comment on function audit_mode() is 'The setting duka.audit; empty at a prompt.';

-- What is told of each thing ------------------------------------------------------------------------------------

create table audit_field (
    entity text not null,
    field  text not null,
    kind   text not null default 'plain' constraint audit_field_kind_check check (kind in ('plain', 'money', 'time', 'personal')),
    constraint audit_field_pkey primary key (entity, field)
);

comment on table audit_field is 'The fields that the audit tells. What is not here is never told; the tests say of each such column why.';
comment on column audit_field.field is 'The column, which clients know by the same name.';
comment on column audit_field.kind is 'money and time are written as clients read them. What is personal is named, and its value left out, for anonymising would have to find it.';

insert into audit_field (entity, field, kind)
select entity, field, kind
from (values
    ('category', 'plain', array['parent_id', 'name', 'slug', 'description']),
    ('product', 'plain', array['category_id', 'vendor_id', 'name', 'slug', 'description', 'sku', 'brand', 'image_url',
                               'attributes', 'is_active', 'imported_rating', 'imported_rating_count']),
    ('product', 'money', array['price']),
    ('product', 'time', array['date_added']),
    ('variant', 'plain', array['product_id', 'position', 'variant_name', 'sku', 'stock', 'image_url', 'attributes']),
    ('variant', 'money', array['price']),
    ('discount', 'plain', array['code', 'description', 'discount_type', 'is_active', 'activation', 'usage_limit',
                                'usage_limit_per_user']),
    ('discount', 'money', array['discount_value', 'minimum_purchase', 'maximum_discount']),
    ('discount', 'time', array['start_date', 'end_date']),
    ('user', 'plain', array['role', 'is_active']),
    ('user', 'personal', array['username', 'email', 'first_name', 'last_name', 'phone']),
    ('search_settings', 'plain', array['synonyms', 'stop_words', 'weights']),
    ('job', 'plain', array['kind', 'parameters']),
    ('job', 'time', array['cancel_requested_at'])
) as told (entity, kind, fields), unnest(fields) as field;

-- The triggers --------------------------------------------------------------------------------------------------

-- By row, since they are for what people write, which is little; an import, which is much, is let pass by their
-- conditions before anything is queued.
create function note_row() returns trigger language plpgsql set search_path from current as $$
declare
    was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) - 'password_hash' end;
    now jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) - 'password_hash' end;
begin
    insert into audit_note (entity, entity_id, part_of, was, now, first)
    values (
        tg_argv[0], coalesce(new.id, old.id), (coalesce(now, was) ->> tg_argv[1])::bigint,
        case when was ->> 'deleted_at' is null then was end, case when now ->> 'deleted_at' is null then now end,
        not exists (select from audit_note n where n.xid = pg_current_xact_id())
    );
    return null;
end $$;
comment on function note_row() is 'Row trigger (entity, the field that says what it is part of): notes what the row was and is.';

create trigger category_audit after insert or update or delete on category for each row
    when (audit_mode() <> 'off')
    execute function note_row('category');

-- Ratings and popularity are counted, not written: they are not among the columns. An update that says only what is
-- there already is noted, for the variants that it writes besides are the product's.
create trigger product_audit after insert or delete or update of
    category_id, vendor_id, name, slug, description, price, sku, brand, image_url, attributes, is_active,
    imported_rating, imported_rating_count, date_added, deleted_at
    on product for each row
    when (audit_mode() <> 'off')
    execute function note_row('product');

create trigger variant_audit after insert or delete on variant for each row
    when (audit_mode() <> 'off')
    execute function note_row('variant', 'product_id');
-- Stock that the shop itself moves is sold, released or returned, which is the ledger's to tell.
create trigger variant_audit_update after update of
    product_id, position, variant_name, sku, price, stock, image_url, attributes, deleted_at
    on variant for each row
    when (
        audit_mode() in ('', 'user')
        or audit_mode() = 'shop'
        and (old.product_id, old.position, old.variant_name, old.sku, old.price, old.image_url, old.attributes, old.deleted_at)
            is distinct from
            (new.product_id, new.position, new.variant_name, new.sku, new.price, new.image_url, new.attributes, new.deleted_at)
    )
    execute function note_row('variant', 'product_id');

-- Uses are counted, not written.
create trigger discount_audit after insert or delete or update of
    code, description, discount_type, discount_value, minimum_purchase, maximum_discount, start_date, end_date,
    is_active, activation, usage_limit, usage_limit_per_user
    on discount for each row
    when (audit_mode() <> 'off')
    execute function note_row('discount');

-- What people write of themselves is theirs, but for what they may do.
create trigger users_audit after insert on users for each row
    when (audit_mode() in ('', 'user') or audit_mode() = 'shop' and new.role <> 'customer')
    execute function note_row('user');
create trigger users_audit_update after update of role, is_active, username, email, first_name, last_name, phone
    on users for each row
    when (
        audit_mode() in ('', 'user')
        or audit_mode() = 'shop' and (old.role, old.is_active) is distinct from (new.role, new.is_active)
    )
    execute function note_row('user');
create trigger users_audit_delete after delete on users for each row
    when (audit_mode() <> 'off')
    execute function note_row('user');

-- That it was asked for, and asked to stop; how far it is, its own row says. An import tells itself what it did.
create trigger job_audit after insert on job for each row
    when (audit_mode() <> 'off' and new.kind <> 'import')
    execute function note_row('job');
create trigger job_audit_update after update of cancel_requested_at on job for each row
    when (audit_mode() <> 'off' and old.cancel_requested_at is null and new.cancel_requested_at is not null)
    execute function note_row('job');

-- Versions do not change: the new one is what the settings are from now on.
create function note_search_settings() returns trigger language plpgsql set search_path from current as $$
begin
    insert into audit_note (entity, entity_id, was, now, first)
    select 'search_settings', new.version,
           coalesce((select settings from search_settings where version < new.version order by version desc limit 1), '{}'),
           new.settings, not exists (select from audit_note n where n.xid = pg_current_xact_id());
    return null;
end $$;
comment on function note_search_settings() is 'Row trigger on search_settings: what they were is the version before; before the first one the program''s own.';

create trigger search_settings_audit after insert on search_settings for each row
    when (audit_mode() <> 'off')
    execute function note_search_settings();

-- By statement: a discount may have ten thousand products.
create function note_links() returns trigger language plpgsql set search_path from current as $$
begin
    if audit_mode() = 'off' then
        return null;
    end if;
    if tg_op <> 'INSERT' then
        insert into audit_note (entity, entity_id, part_of, was, first)
        select 'link', product_id, discount_id, '{}', row_number() over () = 1 and not exists (select from audit_note n where n.xid = pg_current_xact_id()) from was;
    end if;
    if tg_op <> 'DELETE' then
        insert into audit_note (entity, entity_id, part_of, now, first)
        select 'link', product_id, discount_id, '{}', row_number() over () = 1 and not exists (select from audit_note n where n.xid = pg_current_xact_id()) from changed;
    end if;
    return null;
end $$;
comment on function note_links() is 'Statement trigger on discount_product.';

create trigger discount_product_audit_insert after insert on discount_product
    referencing new table as changed for each statement execute function note_links();
create trigger discount_product_audit_update after update on discount_product
    referencing old table as was new table as changed for each statement execute function note_links();
create trigger discount_product_audit_delete after delete on discount_product
    referencing old table as was for each statement execute function note_links();

create function audit_truncate() returns trigger language plpgsql set search_path from current as $$
begin
    insert into audit_log (action, entity) values (tg_argv[0] || '.truncate', tg_argv[0]);
    return null;
end $$;
comment on function audit_truncate() is 'Statement trigger on TRUNCATE (entity): everything went, and nobody read what it was.';

create trigger category_audit_truncate after truncate on category for each statement execute function audit_truncate('category');
create trigger product_audit_truncate after truncate on product for each statement execute function audit_truncate('product');
create trigger variant_audit_truncate after truncate on variant for each statement execute function audit_truncate('variant');
create trigger discount_audit_truncate after truncate on discount for each statement execute function audit_truncate('discount');
create trigger discount_product_audit_truncate after truncate on discount_product for each statement execute function audit_truncate('discount_product');
create trigger users_audit_truncate after truncate on users for each statement execute function audit_truncate('user');

-- The commit ------------------------------------------------------------------------------------------------

create function audit_value(kind text, value jsonb, unit bigint) returns jsonb language sql stable as $$
    select case
        when kind = 'plain' or value = 'null' then value
        -- Where the currency has no decimals, none are shown.
        when kind = 'money' and unit = 100 then to_jsonb(regexp_replace(value #>> '{}', '\.0*$', ''))
        when kind = 'money' then to_jsonb(value #>> '{}')
        when kind = 'time' then to_jsonb(to_char((value #>> '{}')::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    end
$$;
comment on function audit_value(text, jsonb, bigint) is 'A field as it is told, by its kind in audit_field; unit is price_rounding''s.';

-- How much a transaction has noted nobody can estimate, and joins in loops would take for ever over a lot of it.
create function write_audit() returns trigger language plpgsql
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
    return null;
end $$;
comment on function write_audit() is 'Deferred row trigger: makes the audit rows of what the transaction has noted.';

create constraint trigger audit_note_commit after insert on audit_note deferrable initially deferred for each row
    when (new.first)
    execute function write_audit();
