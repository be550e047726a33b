-- A write of one statement is its own transaction: it says in itself who writes, so that nothing has to be said before.
create function sign_write(mode text, actor_id bigint, request_id text) returns boolean language plpgsql as $$
declare
    said text;
begin
    said := set_config('duka.audit', mode, true);
    said := set_config('duka.actor_id', coalesce(actor_id::text, ''), true);
    said := set_config('duka.request_id', coalesce(request_id, ''), true);
    said := set_config('plan_cache_mode', 'force_generic_plan', true);
    return true;
end $$;
comment on function sign_write(text, bigint, text) is
    'Says until the end of the transaction in whose name it is: how the audit looks at it (user, shop, off), which user, and which request. One plan serves all its statements, those of triggers included. Returns true.';
