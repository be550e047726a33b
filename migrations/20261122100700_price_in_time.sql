-- The price in time: what lowers a product's price, in the one form in which documents, details and carts read it.

-- An infinite date is a date to nobody who computes with it; an open end is null.
update discount set end_date = null where end_date > '9999-12-31 00:00Z';
update discount set start_date = greatest('0001-01-01 00:00Z', least(start_date, '9999-12-31 00:00Z'))
where start_date not between '0001-01-01 00:00Z' and '9999-12-31 00:00Z';
alter table discount
    add constraint discount_start_date_check check (start_date between '0001-01-01 00:00Z' and '9999-12-31 00:00Z'),
    add constraint discount_end_date_check check (end_date <= '9999-12-31 00:00Z');

comment on column discount.minimum_purchase is
    'Null: any. A code applies from this subtotal of the cart on; an automatic discount lowers the variants whose own price reaches it.';

create table price_rounding (
    singleton boolean not null default true constraint price_rounding_pkey primary key,
    unit      bigint  not null default 1 constraint price_rounding_unit_check check (unit in (1, 100)),
    constraint price_rounding_singleton_check check (singleton)
);

insert into price_rounding default values;

comment on table price_rounding is
    'One row: how fine the shop''s prices are. Here, so that every node and every tool rounds a discount alike; a server that starts sets it.';
comment on column price_rounding.unit is 'The smallest amount of the shop''s currency, in hundredths: 100 where it has no decimals.';

-- Every discounted document changes with it.
create trigger price_rounding_changed after update on price_rounding for each row
    when (old.unit is distinct from new.unit)
    execute function renew_index_epoch();

create view automatic_discount
    (product_id, id, code, discount_type, discount_value, minimum_purchase, maximum_discount, start_date, end_date, unit) as
    select dp.product_id, d.id, d.code, d.discount_type, (d.discount_value * 100)::bigint,
           (d.minimum_purchase * 100)::bigint, (d.maximum_discount * 100)::bigint,
           (extract(epoch from d.start_date) * 1000000)::bigint, (extract(epoch from d.end_date) * 1000000)::bigint, r.unit
    from discount_product dp
    join discount d on d.id = dp.discount_id
    cross join price_rounding r
    where d.activation = 'automatic' and d.is_active;

comment on view automatic_discount is
    'The discounts that lower each product''s price while their windows are open: money in hundredths, instants in microseconds since 1970. When and by how much is pricing''s business.';
