-- A deleted address is gone for its owner, and says nothing to anybody else either: orders have their copies.

comment on column address.deleted_at is
    'Hidden from its owner since, its content overwritten; the row stays, since orders refer to it.';
