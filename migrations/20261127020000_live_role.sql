-- Whether a session lives is asked before everything that somebody signed in does, on connections that make a plan for
-- whatever is asked. Making it took several times as long as asking; one plan serves all sessions.
create function live_role(bigint, bigint) returns text language plpgsql stable
    set search_path from current set plan_cache_mode = force_generic_plan as $$
begin
    return (
        select u.role
        from session s join users u on u.id = s.user_id
        where s.id = $1 and u.id = $2 and s.revoked_at is null and s.expires_at > now() and u.is_active
    );
end $$;
comment on function live_role(bigint, bigint) is
    'The role that the user (second) of the session (first) has now; null where the session or the user is not alive.';
