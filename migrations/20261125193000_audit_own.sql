-- What vendors and administrators do to what is their own is told too: whoever takes over such an account begins with its
-- address and its password. Told are the account, the addresses and the reviews. What they buy, and what they put aside
-- for it (carts, wishlists, orders, payments), is a customer's, and the orders' timelines tell it.

insert into audit_field (entity, field, kind)
values ('user', 'password', 'personal');
comment on column audit_field.field is
    'The column, which clients know by the same name; of a password, which is never told, that it is another one.';

insert into audit_field (entity, field, kind)
select 'address', field, case when field in ('user_id', 'address_type') then 'plain' else 'personal' end
from unnest(array['user_id', 'street', 'city', 'region', 'country', 'postal_code', 'address_type']) as field;

create or replace function note_row() returns trigger language plpgsql set search_path from current as $$
declare
    was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    now jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
begin
    insert into audit_note (entity, entity_id, part_of, was, now, first)
    select
        tg_argv[0], coalesce(new.id, old.id), (coalesce(now, was) ->> tg_argv[1])::bigint,
        case when num_nonnulls(was ->> 'deleted_at', was ->> 'anonymised_at') = 0 then without_password(was) end,
        case when num_nonnulls(now ->> 'deleted_at', now ->> 'anonymised_at') = 0 then without_password(now) end,
        not exists (select from audit_note n where n.xid = pg_current_xact_id());
    return null;
end $$;
comment on function note_row() is
    'Row trigger (entity, the field that says what it is part of): notes what the row was and is. What is marked as deleted, or made nobody, is gone.';

create function without_password(jsonb) returns jsonb language sql immutable strict as $$
    select case
        when $1 ? 'password_hash' then $1 - 'password_hash' || jsonb_build_object('password', md5($1 ->> 'password_hash'))
        else $1
    end
$$;
comment on function without_password(jsonb) is 'A row by which it can still be told that its password is another one, and nothing else of it.';

drop trigger users_audit_update on users;
create trigger users_audit_update
    after update of role, is_active, username, email, first_name, last_name, phone, password_hash, anonymised_at
    on users for each row
    when (
        audit_mode() in ('', 'user')
        or audit_mode() = 'shop' and (old.role, old.is_active) is distinct from (new.role, new.is_active)
    )
    execute function note_row('user');

create function has_left(bigint) returns boolean language sql stable as $$
    select exists (select from users where id = $1 and anonymised_at is not null)
$$;
comment on function has_left(bigint) is 'Whether the user has been made nobody: what went along is the user''s line to tell.';

create trigger address_audit after insert or update on address for each row
    when (audit_mode() in ('', 'user') and not has_left(new.user_id))
    execute function note_row('address');
create trigger address_audit_delete after delete on address for each row
    when (audit_mode() in ('', 'user'))
    execute function note_row('address');

drop trigger review_audit on review;
create trigger review_audit after insert or delete or update of user_id, product_id, rating, comment
    on review for each row
    when (audit_mode() in ('', 'user'))
    execute function note_row('review');
