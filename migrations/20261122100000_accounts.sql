-- Accounts: who may sign in, for how long, and where they live.
--
-- Users are never deleted: orders, reviews and the audit log point at them for ever. Whoever leaves is
-- deactivated and anonymised. For that reason no foreign key to `users` cascades anywhere in this schema.

create table users (
    id            bigint      generated always as identity constraint users_pkey primary key,
    username      text        not null constraint users_username_check check (char_length(username) between 3 and 150),
    email         text        not null constraint users_email_check check (char_length(email) between 3 and 254),
    password_hash text        not null constraint users_password_hash_check check (char_length(password_hash) between 1 and 512),
    first_name    text        not null default '' constraint users_first_name_check check (char_length(first_name) <= 150),
    last_name     text        not null default '' constraint users_last_name_check check (char_length(last_name) <= 150),
    phone         text        not null default '' constraint users_phone_check check (char_length(phone) <= 32),
    role          text        not null default 'customer' constraint users_role_check check (role in ('customer', 'vendor', 'admin')),
    is_active     boolean     not null default true,
    date_joined   timestamptz not null default now(),
    anonymised_at timestamptz,
    constraint users_anonymised_check check (anonymised_at is null or not is_active)
);

-- Also serve sign-in, which compares lower(…) on both sides.
create unique index users_username_key on users (lower(username));
create unique index users_email_key on users (lower(email));
-- The administrator's list: `where role = $1 order by id desc`.
create index users_role_idx on users (role, id);

comment on table users is 'Everybody who has, or once had, an account. Rows are never deleted.';
comment on column users.username is 'As typed; unique without regard to case.';
comment on column users.email is 'As typed; unique without regard to case. Anonymising writes a placeholder that holds the id.';
comment on column users.password_hash is 'argon2id in PHC format. Anonymising writes a value that no password matches.';
comment on column users.is_active is 'False: may neither sign in nor refresh.';
comment on column users.anonymised_at is 'When the personal fields were overwritten; null while they are real.';

create table session (
    id           bigint      generated always as identity constraint session_pkey primary key,
    user_id      bigint      not null constraint session_user_id_fkey references users (id),
    user_agent   text        not null default '' constraint session_user_agent_check check (char_length(user_agent) <= 400),
    created_at   timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    expires_at   timestamptz not null,
    revoked_at   timestamptz,
    constraint session_expires_at_check check (expires_at > created_at)
);

-- Sign-out everywhere (a changed password, a deactivated user).
create index session_user_id_idx on session (user_id) where revoked_at is null;
-- Housekeeping deletes what has expired; its tokens go with it.
create index session_expires_at_idx on session (expires_at);

comment on table session is 'One sign-in: the family of refresh tokens that descend from it.';
comment on column session.revoked_at is 'Set by sign-out, by a changed password, and when a used refresh token comes back.';
comment on column session.expires_at is 'After this instant no token of the family is good, however fresh.';

create table refresh_token (
    id         bigint      generated always as identity constraint refresh_token_pkey primary key,
    session_id bigint      not null constraint refresh_token_session_id_fkey references session (id) on delete cascade,
    token_hash bytea       not null constraint refresh_token_hash_check check (octet_length(token_hash) = 32),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz,
    constraint refresh_token_hash_key unique (token_hash),
    constraint refresh_token_expires_at_check check (expires_at > created_at)
);

-- A family has one living end: two rotations of one token cannot both leave a successor.
create unique index refresh_token_live_key on refresh_token (session_id) where used_at is null;
-- For the cascade from `session`.
create index refresh_token_session_id_idx on refresh_token (session_id);

comment on table refresh_token is 'Opaque 256-bit refresh tokens. Used ones are kept until their session expires: that is how reuse is noticed.';
comment on column refresh_token.token_hash is 'SHA-256 of the token. The token itself is never stored.';
comment on column refresh_token.used_at is 'When it was exchanged for its successor; presenting it after that revokes the session.';

create table address (
    id           bigint      generated always as identity constraint address_pkey primary key,
    user_id      bigint      not null constraint address_user_id_fkey references users (id),
    street       text        not null constraint address_street_check check (char_length(street) between 1 and 255),
    city         text        not null constraint address_city_check check (char_length(city) between 1 and 120),
    region       text        not null default '' constraint address_region_check check (char_length(region) <= 120),
    country      text        not null constraint address_country_check check (char_length(country) between 1 and 120),
    postal_code  text        not null default '' constraint address_postal_code_check check (char_length(postal_code) <= 32),
    address_type text        not null default 'home' constraint address_type_check check (address_type in ('home', 'work')),
    created_at   timestamptz not null default now(),
    deleted_at   timestamptz
);

create index address_user_id_idx on address (user_id, id) where deleted_at is null;

comment on table address is 'A user''s address book. Orders copy what they need, and never read it again.';
comment on column address.deleted_at is 'Hidden from its owner since; the row stays, since orders refer to it.';
