-- Reviews as they are read: whose, of what, and whether its author has bought it.
--
-- Whether is asked when somebody looks, not remembered from when it was written: an order that is paid later counts,
-- and one that is taken back does not. An author has few orders, and each is one look into the index of their lines.

alter table review drop column verified_purchase;

create view shown_review
    (id, user_id, username, product_id, rating, comment, verified_purchase, created_at, is_on_offer) as
    select r.id, r.user_id, u.username, r.product_id, r.rating, r.comment,
           exists (
               select from orders o
               where o.user_id = r.user_id and o.status <> 'cancelled'
                 and (o.status = 'delivered' or o.payment_status in ('paid', 'partially_refunded'))
                 -- The limit keeps it a look-up for each order: joined, every sale of the product would be read.
                 and (select true from order_item i where i.product_id = r.product_id and i.order_id = o.id limit 1)
           ),
           r.created_at, p.is_active and p.deleted_at is null
    from review r
    join users u on u.id = r.user_id
    join product p on p.id = r.product_id;

comment on view shown_review is
    'Reviews as clients read them. is_on_offer: everybody sees its product, and so the review.';
