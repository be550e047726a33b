-- From wish to parcel: wishlists, carts, orders, the stock they take, and shipments.
--
-- Orders are history. They copy what they need (names, prices, the address) and keep their references besides;
-- nothing cascades into them, and what they refer to is never deleted.

create table wishlist (
    id         bigint      generated always as identity constraint wishlist_pkey primary key,
    user_id    bigint      not null constraint wishlist_user_id_fkey references users (id) on delete restrict,
    created_at timestamptz not null default now(),
    constraint wishlist_user_id_key unique (user_id)
);

comment on table wishlist is 'One for each user, made on first use.';

create table wishlist_item (
    id          bigint      generated always as identity constraint wishlist_item_pkey primary key,
    wishlist_id bigint      not null constraint wishlist_item_wishlist_id_fkey references wishlist (id) on delete cascade,
    product_id  bigint      not null constraint wishlist_item_product_id_fkey references product (id) on delete restrict,
    created_at  timestamptz not null default now(),
    constraint wishlist_item_product_key unique (wishlist_id, product_id)
);

comment on table wishlist_item is 'A wished-for product. Stays when the product is deleted; readers leave it out.';

-- Carts -----------------------------------------------------------------------------------------------------

create table cart (
    id          bigint      generated always as identity constraint cart_pkey primary key,
    user_id     bigint      not null constraint cart_user_id_fkey references users (id) on delete restrict,
    discount_id bigint      constraint cart_discount_id_fkey references discount (id) on delete set null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint cart_user_id_key unique (user_id)
);

-- For the foreign key, when a discount is deleted.
create index cart_discount_id_idx on cart (discount_id) where discount_id is not null;

comment on table cart is 'One for each user, made on first use. Its row is the lock of its content: update it first.';
comment on column cart.discount_id is 'The code given on it. Whether it applies is decided whenever the cart is priced.';

create trigger cart_touch before update on cart for each row execute function touch_updated_at();

create table cart_item (
    id         bigint        generated always as identity constraint cart_item_pkey primary key,
    cart_id    bigint        not null constraint cart_item_cart_id_fkey references cart (id) on delete cascade,
    variant_id bigint        not null constraint cart_item_variant_id_fkey references variant (id) on delete restrict,
    quantity   integer       not null constraint cart_item_quantity_check check (quantity between 1 and 10000),
    price      numeric(12,2) not null constraint cart_item_price_check check (price between 0 and 9999999999.99),
    created_at timestamptz   not null default now(),
    updated_at timestamptz   not null default now(),
    constraint cart_item_variant_key unique (cart_id, variant_id)
);

comment on table cart_item is 'So many of a variant. Holds no stock.';
comment on column cart_item.price is 'Effective price when it was added: a snapshot for the warning price-changed, never what is charged.';

create trigger cart_item_touch before update on cart_item for each row execute function touch_updated_at();

-- Orders ----------------------------------------------------------------------------------------------------

create table orders (
    id                    bigint        generated always as identity constraint orders_pkey primary key,
    order_number          text          not null constraint orders_order_number_check check (char_length(order_number) between 1 and 12),
    user_id               bigint        not null constraint orders_user_id_fkey references users (id) on delete restrict,
    status                text          not null default 'pending'
        constraint orders_status_check check (status in ('pending', 'confirmed', 'shipped', 'delivered', 'cancelled')),
    payment_status        text          not null default 'pending'
        constraint orders_payment_status_check check (payment_status in ('pending', 'paid', 'failed', 'refunded', 'partially_refunded')),
    payment_method        text          not null
        constraint orders_payment_method_check check (payment_method in ('card', 'mpesa', 'cash_on_delivery')),
    currency              text          not null constraint orders_currency_check check (currency ~ '^[A-Z]{3}$'),
    subtotal              numeric(12,2) not null constraint orders_subtotal_check check (subtotal between 0 and 9999999999.99),
    discount_total        numeric(12,2) not null default 0
        constraint orders_discount_total_check check (discount_total between 0 and subtotal),
    total_amount          numeric(12,2) not null,
    discount_id           bigint        constraint orders_discount_id_fkey references discount (id) on delete set null,
    discount_code         text          constraint orders_discount_code_check check (char_length(discount_code) between 1 and 64),
    order_date            timestamptz   not null default now(),
    expires_at            timestamptz,
    shipped_at            timestamptz,
    cancelled_at          timestamptz,
    cancel_reason         text          constraint orders_cancel_reason_check check (cancel_reason in ('customer', 'admin', 'expired')),
    updated_at            timestamptz   not null default now(),
    address_id            bigint        constraint orders_address_id_fkey references address (id) on delete restrict,
    shipping_street       text          not null,
    shipping_city         text          not null,
    shipping_region       text          not null default '',
    shipping_country      text          not null,
    shipping_postal_code  text          not null default '',
    shipping_address_type text          not null default 'home',
    constraint orders_order_number_key unique (order_number),
    constraint orders_total_amount_check check (total_amount = subtotal - discount_total),
    constraint orders_cancelled_check check ((status = 'cancelled') = (cancelled_at is not null))
);

create index orders_user_id_idx on orders (user_id, id);
create index orders_status_idx on orders (status, id);
create index orders_payment_status_idx on orders (payment_status, id);
-- The expiry worker: `where status = 'pending' and expires_at <= now() order by expires_at for update skip locked`.
create index orders_expires_at_idx on orders (expires_at) where status = 'pending' and expires_at is not null;
-- For the foreign key, when a discount is deleted.
create index orders_discount_id_idx on orders (discount_id) where discount_id is not null;

comment on table orders is 'What was agreed. Its row is the lock under which order, payments, refunds and shipments move.';
comment on column orders.order_number is 'What people say on the phone.';
comment on column orders.total_amount is 'What is charged: subtotal less discount_total.';
comment on column orders.discount_id is 'The code''s row while it exists; discount_code is the copy that stays.';
comment on column orders.expires_at is 'Unpaid at this instant of database time it is cancelled. Null: it does not expire (cash on delivery, or paid).';
comment on column orders.shipped_at is 'The API''s shipped_date.';
comment on column orders.cancelled_at is 'Set exactly while status is cancelled.';
comment on column orders.address_id is 'Where the copy came from; the shipping_ columns are what holds.';

create trigger orders_touch before update on orders for each row execute function touch_updated_at();

create table order_item (
    id             bigint        generated always as identity constraint order_item_pkey primary key,
    order_id       bigint        not null constraint order_item_order_id_fkey references orders (id) on delete restrict,
    variant_id     bigint        not null constraint order_item_variant_id_fkey references variant (id) on delete restrict,
    product_id     bigint        not null constraint order_item_product_id_fkey references product (id) on delete restrict,
    vendor_id      bigint        constraint order_item_vendor_id_fkey references users (id) on delete restrict,
    product_name   text          not null,
    variant_name   text          not null,
    sku            text          not null,
    quantity       integer       not null constraint order_item_quantity_check check (quantity between 1 and 10000),
    price          numeric(12,2) not null constraint order_item_price_check check (price between 0 and 9999999999.99),
    subtotal       numeric(12,2) not null,
    discount_total numeric(12,2) not null default 0
        constraint order_item_discount_total_check check (discount_total between 0 and subtotal),
    constraint order_item_variant_key unique (order_id, variant_id),
    constraint order_item_subtotal_check check (subtotal = price * quantity)
);

-- A vendor's orders: `where exists (select from order_item where order_id = orders.id and vendor_id = $1)`.
create index order_item_vendor_id_idx on order_item (vendor_id, order_id) where vendor_id is not null;
-- "Has this user bought this product", for verified reviews.
create index order_item_product_id_idx on order_item (product_id, order_id);

comment on table order_item is 'A line of an order: copies as of the purchase, which later edits of the catalog leave alone.';
comment on column order_item.vendor_id is 'The product''s vendor at the purchase: whose line it is.';
comment on column order_item.price is 'Effective price of one piece, automatic discounts in it.';
comment on column order_item.discount_total is 'This line''s share of the code''s reduction. The lines'' shares sum to the order''s.';

create table order_event (
    id       bigint      generated always as identity constraint order_event_pkey primary key,
    order_id bigint      not null constraint order_event_order_id_fkey references orders (id) on delete restrict,
    at       timestamptz not null default now(),
    event    text        not null constraint order_event_event_check check (char_length(event) between 1 and 64),
    detail   text        not null default '' constraint order_event_detail_check check (char_length(detail) <= 1000),
    actor_id bigint      constraint order_event_actor_id_fkey references users (id) on delete restrict
);

create index order_event_order_id_idx on order_event (order_id, id);

comment on table order_event is 'An order''s timeline, as its owner sees it.';
comment on column order_event.actor_id is 'Who did it; null: the shop itself (expiry, a gateway). Not shown.';

create table discount_use (
    order_id    bigint      not null constraint discount_use_order_id_fkey references orders (id) on delete restrict,
    discount_id bigint      not null constraint discount_use_discount_id_fkey references discount (id) on delete cascade,
    user_id     bigint      not null constraint discount_use_user_id_fkey references users (id) on delete restrict,
    used_at     timestamptz not null default now(),
    constraint discount_use_pkey primary key (order_id)
);

-- "How often has this user used this code", and the foreign key's cascade.
create index discount_use_user_idx on discount_use (discount_id, user_id);

comment on table discount_use is 'Which orders count against a code''s limits. A cancelled order deletes its row and takes one from times_used.';

-- Stock -----------------------------------------------------------------------------------------------------

create table stock_movement (
    id         bigint      generated always as identity constraint stock_movement_pkey primary key,
    variant_id bigint      not null constraint stock_movement_variant_id_fkey references variant (id) on delete restrict,
    quantity   integer     not null constraint stock_movement_quantity_check check (quantity <> 0),
    reason     text        not null
        constraint stock_movement_reason_check check (reason in ('initial', 'adjustment', 'import', 'sale', 'release', 'return')),
    order_id   bigint      constraint stock_movement_order_id_fkey references orders (id) on delete restrict,
    actor_id   bigint      constraint stock_movement_actor_id_fkey references users (id) on delete restrict,
    at         timestamptz not null default now(),
    constraint stock_movement_order_check check ((reason in ('sale', 'release', 'return')) = (order_id is not null)),
    constraint stock_movement_sign_check check (
        (reason <> 'sale' or quantity < 0) and (reason not in ('initial', 'release', 'return') or quantity > 0)
    )
);

create index stock_movement_variant_id_idx on stock_movement (variant_id, id);
-- An order takes a variant's stock once and gives it back once, whatever is retried.
create unique index stock_movement_order_key on stock_movement (order_id, variant_id, reason) where reason in ('sale', 'release');

comment on table stock_movement is 'Ledger of stock: a variant''s movements sum to its stock. Written in the transaction that moves the stock.';
comment on column stock_movement.quantity is 'Pieces added to (positive) or taken from (negative) variant.stock.';
comment on column stock_movement.reason is 'sale: an order took it; release: its cancellation gave it back; return: it came back after shipping.';
comment on column stock_movement.actor_id is 'Who adjusted or imported; null: the shop itself.';

-- Shipments -------------------------------------------------------------------------------------------------

create table shipment (
    id              bigint      generated always as identity constraint shipment_pkey primary key,
    order_id        bigint      not null constraint shipment_order_id_fkey references orders (id) on delete restrict,
    tracking_number text        not null default '' constraint shipment_tracking_number_check check (char_length(tracking_number) <= 100),
    carrier         text        not null default '' constraint shipment_carrier_check check (char_length(carrier) <= 100),
    status          text        not null default 'pending'
        constraint shipment_status_check check (status in ('pending', 'shipped', 'in_transit', 'delivered', 'returned')),
    shipped_at      timestamptz,
    delivered_at    timestamptz,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint shipment_dates_check check (delivered_at >= shipped_at)
);

create index shipment_order_id_idx on shipment (order_id, id);

comment on table shipment is 'A parcel of an order. Moves under the order''s lock.';

create trigger shipment_touch before update on shipment for each row execute function touch_updated_at();
