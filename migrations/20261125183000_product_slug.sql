-- A product is found by its slug, which need not be its alone.
create index product_slug_idx on product (slug, id) where deleted_at is null;
comment on index product_slug_idx is 'Finds a product by its slug';
