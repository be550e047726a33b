-- Who wrote a line of the two ledgers that every write of the catalog adds to is known by the session, which is asked
-- before anything is written, and which refers to the user itself. Asking again for each line took as long as writing it,
-- and locked the one user's row in each writer's transaction. What is left to see to is that users stay.
-- In the order in which writers take them.
lock table stock_movement, audit_log in access exclusive mode;
alter table audit_log drop constraint audit_log_actor_id_fkey;
alter table stock_movement drop constraint stock_movement_actor_id_fkey;

create function keep_actor() returns trigger language plpgsql set search_path from current as $$
begin
    if tg_op = 'UPDATE' and new.id = old.id then
        return new;
    end if;
    -- Whoever has written a line and not committed yet is waited for.
    lock table stock_movement, audit_log in share mode;
    if exists (select from audit_log where actor_id = old.id) or exists (select from stock_movement where actor_id = old.id) then
        raise exception 'user % has written in a ledger; anonymise the user instead', old.id
            using errcode = 'foreign_key_violation', table = 'users', constraint = 'users_actor_check';
    end if;
    return coalesce(new, old);
end $$;
comment on function keep_actor() is 'Row trigger on users: whoever is named in audit_log or stock_movement is not deleted, and keeps the id.';

create trigger users_actor_check before delete or update of id on users for each row execute function keep_actor();

comment on column audit_log.actor_id is 'Null: the command line, a prompt, or the shop itself. A user; no foreign key, which would lock the user''s row for each line.';
comment on column stock_movement.actor_id is 'Who adjusted or imported; null: the shop itself. A user; no foreign key, which would lock the user''s row for each line.';
