-- Lists are read in their order from any place on: indexes in those orders.

-- Variants: by product, in the product's order. It does what the index without the position did.
create index variant_order_idx on variant (product_id, position, id) where deleted_at is null;
drop index variant_product_id_idx;

-- The roots of the category tree, by name.
create index category_root_name_idx on category (name) where parent_id is null;
