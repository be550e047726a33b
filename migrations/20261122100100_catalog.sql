-- The catalog: categories, products and their variants, discounts and reviews.
--
-- Everything sold is a variant; stock lives there and nowhere else. Products and variants are never deleted,
-- only marked, so that orders can refer to them for ever. What feeds the search index is logged by the
-- triggers of the next migration.

create function touch_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end $$;
comment on function touch_updated_at() is 'Row trigger: a changed row says when. For tables whose every column matters.';

-- Categories ------------------------------------------------------------------------------------------------

create table category (
    id          bigint      generated always as identity constraint category_pkey primary key,
    parent_id   bigint      constraint category_parent_id_fkey references category (id) on delete restrict,
    name        text        not null constraint category_name_check check (char_length(name) between 1 and 120),
    slug        text        not null constraint category_slug_check check (char_length(slug) between 1 and 160),
    description text        not null default '' constraint category_description_check check (char_length(description) <= 5000),
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint category_slug_key unique (slug),
    constraint category_parent_id_check check (parent_id <> id)
);

-- Siblings differ in name; roots are siblings too (0 is no id, and `nulls not distinct` is younger than 14).
create unique index category_name_key on category (coalesce(parent_id, 0), lower(name));
create index category_parent_id_idx on category (parent_id) where parent_id is not null;

comment on table category is 'The tree that products hang in. Holding products or children, one cannot be deleted.';
comment on column category.parent_id is 'Null for a root. No category is its own ancestor, nor deeper than 32 levels (guard_category_tree).';
comment on column category.name is 'Unique among siblings without regard to case.';

create trigger category_touch before update on category for each row execute function touch_updated_at();

-- The application refuses cycles politely; this refuses them whoever asks, and trees so deep that walking them
-- costs something. The lock makes changes wait for each other: two that are harmless alone can close a ring
-- together, and neither would see the other's. Both walks end in a ring too: the one because `union` keeps what
-- is new alone, the other because it stops at its depth.
create function guard_category_tree() returns trigger language plpgsql set search_path from current as $$
declare
    above integer;
    below integer;
begin
    perform pg_advisory_xact_lock(hashtextextended('duka.category.parent', 0));
    if exists (
        with recursive ancestor (id) as (
            select new.parent_id
            union
            select c.parent_id from category c join ancestor a on c.id = a.id where c.parent_id is not null
        )
        select from ancestor where id = new.id
    ) then
        raise exception 'category % cannot be moved under %: that is the category itself or lies inside it', new.id, new.parent_id
            using errcode = 'check_violation', constraint = 'category_parent_cycle', table = 'category', column = 'parent_id';
    end if;
    with recursive ancestor (id, depth) as (
        select new.parent_id, 1
        union all
        select c.parent_id, a.depth + 1 from category c join ancestor a on c.id = a.id where c.parent_id is not null and a.depth <= 32
    )
    select max(depth) into above from ancestor;
    with recursive descendant (id, depth) as (
        select new.id, 1
        union all
        select c.id, d.depth + 1 from category c join descendant d on c.parent_id = d.id where d.depth <= 32
    )
    select max(depth) into below from descendant;
    if above + below > 32 then
        raise exception 'category % would stand in a tree of more than 32 levels', new.id
            using errcode = 'check_violation', constraint = 'category_depth_check', table = 'category', column = 'parent_id';
    end if;
    return null;
end $$;
comment on function guard_category_tree() is
    'Row trigger: fails as category_parent_cycle when a ring would close, as category_depth_check beyond 32 levels.';

create trigger category_tree_insert after insert on category for each row
    when (new.parent_id is not null)
    execute function guard_category_tree();
create trigger category_tree_update after update of parent_id on category for each row
    when (new.parent_id is not null and new.parent_id is distinct from old.parent_id)
    execute function guard_category_tree();

-- Products --------------------------------------------------------------------------------------------------

create table product (
    id                    bigint        generated always as identity constraint product_pkey primary key,
    category_id           bigint        constraint product_category_id_fkey references category (id) on delete restrict,
    vendor_id             bigint        constraint product_vendor_id_fkey references users (id) on delete restrict,
    name                  text          not null constraint product_name_check check (char_length(name) between 1 and 280),
    slug                  text          not null constraint product_slug_check check (char_length(slug) between 1 and 320),
    description           text          not null default '' constraint product_description_check check (char_length(description) <= 20000),
    price                 numeric(12,2) not null constraint product_price_check check (price between 0 and 9999999999.99),
    sku                   text          not null constraint product_sku_check check (char_length(sku) between 1 and 64),
    brand                 text          constraint product_brand_check check (char_length(brand) between 1 and 120),
    image_url             text          constraint product_image_url_check check (char_length(image_url) between 1 and 2000),
    attributes            jsonb         not null default '{}' constraint product_attributes_check check (jsonb_typeof(attributes) = 'object'),
    is_active             boolean       not null default true,
    popularity            bigint        not null default 0 constraint product_popularity_check check (popularity >= 0),
    rating_sum            numeric(14,4) not null default 0 constraint product_rating_sum_check check (rating_sum between 0 and 9999999999),
    rating_count          integer       not null default 0 constraint product_rating_count_check check (rating_count >= 0),
    imported_rating       numeric(6,4)  not null default 0 constraint product_imported_rating_check check (imported_rating between 0 and 5),
    imported_rating_count integer       not null default 0 constraint product_imported_rating_count_check check (imported_rating_count >= 0),
    rating                numeric(6,4)  generated always as (
        round((rating_sum + imported_rating * imported_rating_count) / nullif(rating_count::numeric + imported_rating_count, 0), 4)
    ) stored,
    review_count          bigint        not null generated always as (rating_count::bigint + imported_rating_count) stored,
    row_version           bigint        not null default 1,
    date_added            timestamptz   not null default now()
        constraint product_date_added_check check (date_added between '0001-01-01 00:00Z' and '9999-12-31 00:00Z'),
    updated_at            timestamptz   not null default now()
        constraint product_updated_at_check check (updated_at between '0001-01-01 00:00Z' and '9999-12-31 00:00Z'),
    deleted_at            timestamptz
) with (fillfactor = 90);

-- A deleted product gives its SKU back. The arbiter of the import: `on conflict (sku) where deleted_at is null`.
create unique index product_sku_key on product (sku) where deleted_at is null;
-- `is not null`, not `deleted_at is null`: the foreign key's own look-up must be able to use them.
create index product_category_id_idx on product (category_id, id) where category_id is not null;
create index product_vendor_id_idx on product (vendor_id, id) where vendor_id is not null;

comment on table product is 'What the shop offers; sold through its variants. Never deleted, only marked.';
comment on column product.category_id is 'Null: in no category. Deleting the product clears it, so that it holds no category back.';
comment on column product.vendor_id is 'Who may write it besides administrators; null: the shop itself.';
comment on column product.price is 'The list price that its first variant was made with; what is sold is priced by variant.price.';
comment on column product.sku is 'Unique among live products, letter for letter: SKUs are codes, and an upsert needs a plain arbiter.';
comment on column product.attributes is 'name → text, number, boolean or list of texts.';
comment on column product.popularity is 'A tie-breaker for search. Raised in batches, never by the checkout itself: that would make buyers of one product wait for each other.';
comment on column product.rating_sum is 'Sum of the ratings of this shop''s reviews. Kept by triggers on review; write it nowhere else.';
comment on column product.rating_count is 'Number of this shop''s reviews. Kept by triggers on review; write it nowhere else.';
comment on column product.imported_rating is 'Mean rating carried over from another shop, weighed by imported_rating_count.';
comment on column product.rating is 'Mean over own and carried-over ratings; null without any. The one place where it is computed.';
comment on column product.review_count is 'Own and carried-over ratings.';
comment on column product.row_version is 'Grows with every write to the row. The detail''s version is this plus the sum of its variants''.';
comment on column product.updated_at is 'When its own content changed last; ratings, popularity and stock do not count.';
comment on column product.deleted_at is 'Gone from catalog and search since; its variants went with it.';

create function touch_product() returns trigger language plpgsql as $$
begin
    new.row_version := old.row_version + 1;
    if new.deleted_at is not null then
        new.category_id := null;
    end if;
    if (new.category_id, new.vendor_id, new.name, new.slug, new.description, new.price, new.sku, new.brand,
        new.image_url, new.attributes, new.is_active, new.deleted_at)
       is distinct from
       (old.category_id, old.vendor_id, old.name, old.slug, old.description, old.price, old.sku, old.brand,
        old.image_url, old.attributes, old.is_active, old.deleted_at)
    then
        new.updated_at := now();
    end if;
    return new;
end $$;
comment on function touch_product() is 'Row trigger: counts the write, dates a change of content, and lets a deleted product go of its category.';

create trigger product_touch before update on product for each row execute function touch_product();

-- Variants --------------------------------------------------------------------------------------------------

create table variant (
    id           bigint        generated always as identity constraint variant_pkey primary key,
    product_id   bigint        not null constraint variant_product_id_fkey references product (id) on delete restrict,
    position     integer       not null default 0 constraint variant_position_check check (position >= 0),
    variant_name text          not null constraint variant_name_check check (char_length(variant_name) between 1 and 120),
    sku          text          not null constraint variant_sku_check check (char_length(sku) between 1 and 64),
    price        numeric(12,2) not null constraint variant_price_check check (price between 0 and 9999999999.99),
    stock        integer       not null default 0 constraint variant_stock_check check (stock >= 0),
    image_url    text          constraint variant_image_url_check check (char_length(image_url) between 1 and 2000),
    attributes   jsonb         not null default '{}' constraint variant_attributes_check check (jsonb_typeof(attributes) = 'object'),
    row_version  bigint        not null default 1,
    created_at   timestamptz   not null default now(),
    updated_at   timestamptz   not null default now(),
    deleted_at   timestamptz
) with (fillfactor = 80);

create unique index variant_sku_key on variant (sku) where deleted_at is null;
-- No index holds `stock`: a sale then rewrites the row in its own page and touches no index.
create index variant_product_id_idx on variant (product_id, id) where deleted_at is null;

comment on table variant is 'What is put in a cart. Never deleted, only marked. A live product has at least one live variant.';
comment on column variant.position is 'Order within the product, ties by id.';
comment on column variant.sku is 'Unique among live variants. May equal its own product''s.';
comment on column variant.stock is 'Pieces that nobody holds. Moved only by `stock = stock ± q`, each time with a row in stock_movement.';
comment on column variant.row_version is 'Grows with every write to the row, sales included.';

create function touch_variant() returns trigger language plpgsql as $$
begin
    new.row_version := old.row_version + 1;
    new.updated_at := now();
    return new;
end $$;
comment on function touch_variant() is 'Row trigger: counts and dates the write.';

create trigger variant_touch before update on variant for each row execute function touch_variant();

-- In id order, as checkouts take them: whoever deletes a product then waits for a buyer instead of blocking one.
create function delete_variants_of_product() returns trigger language plpgsql set search_path from current as $$
begin
    perform from variant where product_id = new.id and deleted_at is null order by id for update;
    update variant set deleted_at = new.deleted_at where product_id = new.id and deleted_at is null;
    return null;
end $$;
comment on function delete_variants_of_product() is 'Row trigger: a deleted product takes its variants along, which frees their SKUs.';

create trigger product_deleted after update of deleted_at on product for each row
    when (old.deleted_at is null and new.deleted_at is not null)
    execute function delete_variants_of_product();

-- Two deletions, one of each of the last two variants, would each see the other's still alive; on the
-- product's lock they take turns. Take that lock first yourself (`select … from product … for no key update`)
-- when the transaction writes the product too.
create function keep_last_variant() returns trigger language plpgsql set search_path from current as $$
begin
    perform from product where id = new.product_id and deleted_at is null for no key update;
    if found and not exists (select from variant where product_id = new.product_id and deleted_at is null) then
        raise exception 'variant % is the last one of product %: delete the product instead', new.id, new.product_id
            using errcode = 'check_violation', constraint = 'variant_last_check', table = 'variant', column = 'deleted_at';
    end if;
    return null;
end $$;
comment on function keep_last_variant() is 'Row trigger: fails as constraint variant_last_check when a live product would be left without a variant.';

create trigger variant_last_check after update of deleted_at on variant for each row
    when (old.deleted_at is null and new.deleted_at is not null)
    execute function keep_last_variant();

-- Discounts -------------------------------------------------------------------------------------------------

create table discount (
    id                   bigint        generated always as identity constraint discount_pkey primary key,
    code                 text          not null constraint discount_code_check check (char_length(code) between 1 and 64),
    description          text          not null default '' constraint discount_description_check check (char_length(description) <= 2000),
    discount_type        text          not null constraint discount_type_check check (discount_type in ('percentage', 'fixed')),
    discount_value       numeric(12,2) not null,
    minimum_purchase     numeric(12,2) constraint discount_minimum_purchase_check check (minimum_purchase between 0 and 9999999999.99),
    maximum_discount     numeric(12,2) constraint discount_maximum_discount_check check (maximum_discount > 0 and maximum_discount <= 9999999999.99),
    start_date           timestamptz   not null default now(),
    end_date             timestamptz,
    is_active            boolean       not null default true,
    activation           text          not null default 'code' constraint discount_activation_check check (activation in ('code', 'automatic')),
    usage_limit          integer       constraint discount_usage_limit_check check (usage_limit > 0),
    usage_limit_per_user integer       constraint discount_usage_limit_per_user_check check (usage_limit_per_user > 0),
    times_used           integer       not null default 0,
    created_at           timestamptz   not null default now(),
    updated_at           timestamptz   not null default now(),
    constraint discount_value_check check (discount_value > 0 and discount_value <= 9999999999.99 and (discount_type <> 'percentage' or discount_value <= 100)),
    constraint discount_window_check check (end_date > start_date),
    constraint discount_times_used_check check (times_used >= 0 and (usage_limit is null or times_used <= usage_limit))
);

create unique index discount_code_key on discount (lower(code));

comment on table discount is 'Price reductions: automatic ones lower the price that everybody sees, codes are given on the cart.';
comment on column discount.code is 'As typed; unique without regard to case. Automatic ones have one too, as their name.';
comment on column discount.discount_value is 'Percent (up to 100) or an amount in the shop''s currency, by discount_type.';
comment on column discount.minimum_purchase is 'Subtotal from which a code applies; null: any. Codes only.';
comment on column discount.maximum_discount is 'Largest amount that it takes off; null: no cap.';
comment on column discount.start_date is 'First instant at which it holds.';
comment on column discount.end_date is 'First instant at which it holds no more; null: it does not end.';
comment on column discount.usage_limit is 'Orders that may use it in all; null: any number. Codes only.';
comment on column discount.usage_limit_per_user is 'Orders of one user that may use it; null: any number. Codes only. Count discount_use under this row''s lock.';
comment on column discount.times_used is 'Orders that use it, cancelled ones taken back. Never above usage_limit, whoever races.';

create trigger discount_touch before update on discount for each row execute function touch_updated_at();

create table discount_product (
    discount_id bigint not null constraint discount_product_discount_id_fkey references discount (id) on delete cascade,
    product_id  bigint not null constraint discount_product_product_id_fkey references product (id) on delete restrict,
    constraint discount_product_pkey primary key (discount_id, product_id)
);

-- "Which discounts touch this product", for prices and documents, without visiting the table.
create unique index discount_product_product_id_idx on discount_product (product_id, discount_id);

comment on table discount_product is 'The products that a discount is for. An automatic one without any lowers nothing; a code without any is for the whole cart.';

-- Reviews ---------------------------------------------------------------------------------------------------

create table review (
    id                bigint      generated always as identity constraint review_pkey primary key,
    user_id           bigint      not null constraint review_user_id_fkey references users (id) on delete restrict,
    product_id        bigint      not null constraint review_product_id_fkey references product (id) on delete restrict,
    rating            smallint    not null constraint review_rating_check check (rating between 1 and 5),
    comment           text        not null default '' constraint review_comment_check check (char_length(comment) <= 5000),
    verified_purchase boolean     not null default false,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    constraint review_user_product_key unique (user_id, product_id)
);

create index review_product_id_idx on review (product_id, id);

comment on table review is 'One opinion of one user on one product. Its rating is carried into the product by triggers.';
comment on column review.verified_purchase is 'Whether the author had bought it, as known when the review was written.';

create trigger review_touch before update on review for each row execute function touch_updated_at();

-- By statement and by difference: a thousand reviews write each product once, an edited comment writes none.
create function carry_ratings() returns trigger language plpgsql set search_path from current as $$
declare
    ids    bigint[];
    sums   bigint[];
    counts bigint[];
begin
    if tg_op = 'INSERT' then
        select array_agg(product_id), array_agg(s), array_agg(n) into ids, sums, counts
        from (select product_id, sum(rating) s, count(*) n from added group by product_id) d;
    elsif tg_op = 'DELETE' then
        select array_agg(product_id), array_agg(-s), array_agg(-n) into ids, sums, counts
        from (select product_id, sum(rating) s, count(*) n from removed group by product_id) d;
    else
        select array_agg(product_id), array_agg(s), array_agg(n) into ids, sums, counts
        from (
            select product_id, sum(rating) s, sum(n) n
            from (select product_id, rating, 1 n from added union all select product_id, -rating, -1 from removed) both_sides
            group by product_id
            having sum(rating) <> 0 or sum(n) <> 0
        ) d;
    end if;
    if ids is not null then
        -- In id order: two statements over the same products queue up instead of deadlocking.
        perform from product where id = any (ids) order by id for no key update;
        update product p set rating_sum = p.rating_sum + d.s, rating_count = p.rating_count + d.n
        from unnest(ids, sums, counts) as d (id, s, n)
        where p.id = d.id;
    end if;
    return null;
end $$;
comment on function carry_ratings() is 'Statement trigger: adds what changed in review to product.rating_sum and rating_count.';

create trigger review_inserted after insert on review
    referencing new table as added for each statement execute function carry_ratings();
create trigger review_updated after update on review
    referencing old table as removed new table as added for each statement execute function carry_ratings();
create trigger review_deleted after delete on review
    referencing old table as removed for each statement execute function carry_ratings();
