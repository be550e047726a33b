-- What the search index follows: the change log, and where its followers stand.
--
-- Whoever writes the catalog, the application or somebody at a prompt, triggers write down what changed in the
-- same transaction. Ids only, never payloads: the index reads the rows itself, from the snapshot in which it
-- reads the log. The cursor that counts is the one in the index's own commit; the table here only says how far
-- the log may be cut.

create table change_log (
    seq         bigint      generated always as identity,
    xid         xid8        not null default pg_current_xact_id(),
    product_id  bigint,
    category_id bigint,
    discount_id bigint,
    at          timestamptz not null default clock_timestamp(),
    constraint change_log_pkey primary key (xid, seq),
    constraint change_log_what_check check (num_nonnulls(product_id, category_id, discount_id) = 1)
);

comment on table change_log is
    'What may have changed a search document, by transaction. Read it through catalog_change. No foreign keys: it outlives what it names.';
comment on column change_log.seq is 'Tells the rows of one transaction apart. Drawn before commit, so it orders nothing else.';
comment on column change_log.xid is 'The writing transaction. A reader compares it with its snapshot: that alone says what is committed.';
comment on column change_log.product_id is 'This product''s document changed, appeared or vanished.';
comment on column change_log.category_id is 'The documents of every product in this category''s subtree changed.';
comment on column change_log.discount_id is 'The documents of every product linked to this discount changed.';
comment on column change_log.at is 'When it was written, for the lag that operators see; nothing is ordered by it.';

-- A category or a discount is logged as itself and spread over its products by the READER. Spread by the writer
-- it would miss what other transactions are still writing: one inserts a product while another renames its
-- category, neither sees the other, the product is indexed under the old name, and nobody says so again. In the
-- reader's snapshot both have committed, or the product's own entry is still to come. (And renaming a root
-- costs its administrator one row, not one for each product in the shop.)
create view catalog_change (seq, xid, at, product_id) as
    select l.seq, l.xid, l.at, l.product_id
    from change_log l
    where l.product_id is not null
    union all
    select l.seq, l.xid, l.at, p.id
    from change_log l
    cross join lateral (
        with recursive subtree (id) as (
            select l.category_id
            union
            select c.id from category c join subtree s on c.parent_id = s.id
        )
        select id from subtree
    ) s
    join product p on p.category_id = s.id
    where l.category_id is not null
    union all
    select l.seq, l.xid, l.at, dp.product_id
    from change_log l
    join discount_product dp on dp.discount_id = l.discount_id
    where l.discount_id is not null;

comment on view catalog_change is
    'change_log with categories and discounts spread over the products that they hold in the reader''s snapshot. A product can appear many times.';

-- The triggers. Transition tables allow one event a trigger, so each table has a few that share a function.

create function log_product() returns trigger language plpgsql set search_path from current as $$
begin
    insert into change_log (product_id) select id from changed;
    return null;
end $$;
comment on function log_product() is 'Statement trigger on product.';

create trigger product_log_insert after insert on product
    referencing new table as changed for each statement execute function log_product();
create trigger product_log_update after update on product
    referencing new table as changed for each statement execute function log_product();
create trigger product_log_delete after delete on product
    referencing old table as changed for each statement execute function log_product();

create function log_product_id() returns trigger language plpgsql set search_path from current as $$
begin
    if tg_op = 'UPDATE' then
        insert into change_log (product_id) select product_id from was union select product_id from changed;
    else
        insert into change_log (product_id) select distinct product_id from changed;
    end if;
    return null;
end $$;
comment on function log_product_id() is 'Statement trigger on what belongs to a product: logs the product it left and the one it joined.';

create trigger variant_log_insert after insert on variant
    referencing new table as changed for each statement execute function log_product_id();
create trigger variant_log_update after update on variant
    referencing old table as was new table as changed for each statement execute function log_product_id();
create trigger variant_log_delete after delete on variant
    referencing old table as changed for each statement execute function log_product_id();

-- Links are logged whatever the discount's activation: it may be turning automatic at this moment elsewhere.
create trigger discount_product_log_insert after insert on discount_product
    referencing new table as changed for each statement execute function log_product_id();
create trigger discount_product_log_update after update on discount_product
    referencing old table as was new table as changed for each statement execute function log_product_id();
create trigger discount_product_log_delete after delete on discount_product
    referencing old table as changed for each statement execute function log_product_id();

-- A new category holds nothing yet, and one that holds something cannot be deleted: only updates matter.
create function log_category() returns trigger language plpgsql set search_path from current as $$
begin
    insert into change_log (category_id)
    select c.id from changed c join was w using (id)
    where (c.name, c.slug, c.parent_id) is distinct from (w.name, w.slug, w.parent_id);
    return null;
end $$;
comment on function log_category() is 'Statement trigger on category: logs what a document shows of it.';

create trigger category_log_update after update on category
    referencing old table as was new table as changed for each statement execute function log_category();

-- A new discount has no links yet, and a deleted one's links log themselves as they go: only updates matter.
-- Not every update: each use of a code counts itself in `times_used`, and a document shows automatic ones only.
create function log_discount() returns trigger language plpgsql set search_path from current as $$
begin
    insert into change_log (discount_id)
    select c.id from changed c join was w using (id)
    where (c.activation = 'automatic' or w.activation = 'automatic')
      and (c.code, c.discount_type, c.discount_value, c.minimum_purchase, c.maximum_discount, c.start_date, c.end_date, c.is_active, c.activation)
          is distinct from
          (w.code, w.discount_type, w.discount_value, w.minimum_purchase, w.maximum_discount, w.start_date, w.end_date, w.is_active, w.activation);
    return null;
end $$;
comment on function log_discount() is 'Statement trigger on discount: logs what a document shows of it.';

create trigger discount_log_update after update on discount
    referencing old table as was new table as changed for each statement execute function log_discount();

-- Reviews reach the log through the product that carry_ratings() updates. Users do not feed the document: it
-- holds vendor_id and nothing else of the vendor, and vendor_id is the product's own column.

-- The epoch -------------------------------------------------------------------------------------------------

create function random_epoch() returns bigint language sql volatile as $$
    select ('x' || substr(md5(gen_random_uuid()::text), 1, 16))::bit(64)::bigint & 9223372036854775807
$$;
comment on function random_epoch() is 'A random number, never negative.';

create table index_epoch (
    singleton  boolean     not null default true constraint index_epoch_pkey primary key,
    epoch      bigint      not null default random_epoch() constraint index_epoch_epoch_check check (epoch >= 0),
    changed_at timestamptz not null default now(),
    constraint index_epoch_singleton_check check (singleton)
);

insert into index_epoch default values;

comment on table index_epoch is 'One row. An index built under another epoch cannot be caught up and is rebuilt.';
comment on column index_epoch.epoch is 'Random, so that no two histories share one. Also the first half of the version token that clients hold.';

-- TRUNCATE has no rows to log. It leaves no deletions to follow either, so every index starts anew.
create function renew_index_epoch() returns trigger language plpgsql set search_path from current as $$
begin
    update index_epoch set epoch = random_epoch(), changed_at = now();
    return null;
end $$;
comment on function renew_index_epoch() is 'Statement trigger on TRUNCATE: makes every node rebuild.';

create trigger product_truncate after truncate on product for each statement execute function renew_index_epoch();
create trigger variant_truncate after truncate on variant for each statement execute function renew_index_epoch();
create trigger category_truncate after truncate on category for each statement execute function renew_index_epoch();
create trigger discount_truncate after truncate on discount for each statement execute function renew_index_epoch();
create trigger discount_product_truncate after truncate on discount_product for each statement execute function renew_index_epoch();
create trigger change_log_truncate after truncate on change_log for each statement execute function renew_index_epoch();

-- TRUNCATE of reviews takes their ratings away, which the product's own triggers then log.
create function forget_ratings() returns trigger language plpgsql set search_path from current as $$
begin
    update product set rating_sum = 0, rating_count = 0 where rating_count <> 0;
    return null;
end $$;
comment on function forget_ratings() is 'Statement trigger on TRUNCATE of review.';

create trigger review_truncate after truncate on review for each statement execute function forget_ratings();

-- Followers -------------------------------------------------------------------------------------------------

create table index_consumer (
    node_id      text        not null constraint index_consumer_node_id_check check (char_length(node_id) between 1 and 100),
    cursor       xid8        not null,
    snapshot     text        not null,
    started_at   timestamptz not null default now(),
    heartbeat_at timestamptz not null default now(),
    constraint index_consumer_pkey primary key (node_id)
);

comment on table index_consumer is 'The nodes that mirror the catalog. A hint for cutting the log; what a node has applied is in its own index.';
comment on column index_consumer.cursor is 'It still needs the log from this transaction on (xmin of its last committed snapshot).';
comment on column index_consumer.snapshot is 'Its last committed snapshot, as pg_snapshot prints it.';
comment on column index_consumer.heartbeat_at is 'A node silent for too long is forgotten; when it is back it finds itself below the floor, or not.';

create table change_floor (
    singleton boolean     not null default true constraint change_floor_pkey primary key,
    floor     xid8        not null default '0',
    cut_at    timestamptz not null default now(),
    constraint change_floor_singleton_check check (singleton)
);

insert into change_floor default values;

comment on table change_floor is 'One row: how far the change log has been cut. Raised in the transaction that cuts.';
comment on column change_floor.floor is 'Every entry with a smaller xid may be gone. A cursor below it cannot be caught up: rebuild.';
