-- The administration of users: how they are found, and who must remain.

-- Prefixes of words, in any of the four places. Both sides go through the same function, so that they are cut and
-- folded alike: accents and case do not matter, and an e-mail address is the words between its signs.
create function user_words(text) returns tsvector language sql immutable strict parallel safe as $$
    select to_tsvector(
        'pg_catalog.simple'::regconfig,
        translate(
            regexp_replace(normalize($1, nfkd), '[\u0300-\u036f]', '', 'g'),
            '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~',
            repeat(' ', 32)
        )
    )
$$;
comment on function user_words(text) is 'The words of a text, as users are found by.';

create function user_query(text) returns tsquery language sql immutable strict parallel safe as $$
    select string_agg(quote_literal(lexeme) || ':*', ' & ')::tsquery from unnest(user_words($1))
$$;
comment on function user_query(text) is 'What finds the users of whose words each of the text''s begins one; null, which finds nobody, where it has none.';

alter table users add column search_words tsvector not null
    generated always as (user_words(username || ' ' || email || ' ' || first_name || ' ' || last_name)) stored;
create index users_search_words_idx on users using gin (search_words);

comment on column users.search_words is 'What the administrator''s search looks into.';
comment on column users.is_active is 'False: may neither sign in nor refresh, and whoever is signed in is out.';
comment on column users.username is
    'As typed; unique without regard to case. Anonymising writes one that nobody can register, since it has spaces.';
comment on column users.email is
    'As typed; unique without regard to case. Anonymising writes one that nobody can register, since its host has no dot.';

-- Two administrators who take the role from each other would each see the other still there; on the lock they take
-- turns, and the second sees what the first has committed. (Not under `repeatable read`, which nobody uses to write.)
create function keep_last_admin() returns trigger language plpgsql set search_path from current as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('duka.users.admin', 0));
    if not exists (select from users where role = 'admin' and is_active) then
        raise exception 'user % is the last active administrator: make another one first', new.id
            using errcode = 'check_violation', constraint = 'users_last_admin_check', table = 'users', column = 'role';
    end if;
    return null;
end $$;
comment on function keep_last_admin() is 'Row trigger: fails as constraint users_last_admin_check when no active administrator would be left.';

create trigger users_last_admin_check after update of role, is_active on users for each row
    when (old.role = 'admin' and old.is_active and not (new.role = 'admin' and new.is_active))
    execute function keep_last_admin();
