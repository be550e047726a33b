-- Payments at work: the names under which gateways know what was asked before, the ledger of the money, and what
-- administrators do with it in the audit.

alter table payment
    add column gateway_key text not null default gen_random_uuid()::text
        constraint payment_gateway_key_check check (char_length(gateway_key) between 1 and 100),
    add column idempotency_key_id bigint
        constraint payment_idempotency_key_id_fkey references idempotency_key (id) on delete set null,
    add constraint payment_gateway_key_key unique (gateway_key);
create unique index payment_idempotency_key_id_key on payment (idempotency_key_id) where idempotency_key_id is not null;

comment on column payment.gateway_key is
    'What a card gateway is given as its Idempotency-Key, and in the metadata: nobody can guess it, and no other database has it.';
comment on column payment.idempotency_key_id is
    'The buyer''s key that made it: answers the request again when the process died before the answer was kept.';

alter table refund
    add column gateway_key text not null default gen_random_uuid()::text
        constraint refund_gateway_key_check check (char_length(gateway_key) between 1 and 100),
    add column callback_token_hash bytea
        constraint refund_callback_token_hash_check check (octet_length(callback_token_hash) = 32),
    add column idempotency_key_id bigint
        constraint refund_idempotency_key_id_fkey references idempotency_key (id) on delete set null,
    add constraint refund_gateway_key_key unique (gateway_key),
    add constraint refund_callback_token_hash_key unique (callback_token_hash);

create unique index refund_idempotency_key_id_key on refund (idempotency_key_id) where idempotency_key_id is not null;

comment on column refund.idempotency_key_id is 'As payment.idempotency_key_id.';
comment on column refund.gateway_key is 'As payment.gateway_key: sent again, it is the same refund.';
comment on column refund.callback_token_hash is
    'M-Pesa: SHA-256 of the unguessable token in the address that its result is sent to. Set before it is sent, and never anew.';
comment on column refund.status is
    'pending: not sent yet; processing, unknown: sent, and not known to have ended; manual: no gateway can do it, a person must.';
comment on column refund.gateway_refund_id is 'The gateway''s: a card refund''s id, M-Pesa''s ConversationID.';

alter table payment_inbox
    add column refund_id bigint constraint payment_inbox_refund_id_fkey references refund (id) on delete restrict;
comment on column payment_inbox.refund_id is 'M-Pesa: the refund whose result it is. The attempt''s own callbacks have none.';

-- Every time round: orders that were given up while the shop holds money for them.
create index orders_owing_idx on orders (id)
    where status = 'cancelled' and payment_status in ('paid', 'partially_refunded');

-- The ledger ------------------------------------------------------------------------------------------------

create table payment_ledger (
    id         bigint        generated always as identity constraint payment_ledger_pkey primary key,
    payment_id bigint        not null constraint payment_ledger_payment_id_fkey references payment (id) on delete restrict,
    refund_id  bigint        constraint payment_ledger_refund_id_fkey references refund (id) on delete restrict,
    account    text          not null constraint payment_ledger_account_check check (account in ('card', 'mpesa', 'orders')),
    amount     numeric(12,2) not null constraint payment_ledger_amount_check check (amount <> 0),
    currency   text          not null constraint payment_ledger_currency_check check (currency ~ '^[A-Z]{3}$'),
    at         timestamptz   not null default now()
);

-- A payment is captured once, and a refund paid out once, whatever is repeated.
create unique index payment_ledger_capture_key on payment_ledger (payment_id, account) where refund_id is null;
create unique index payment_ledger_refund_key on payment_ledger (refund_id, account) where refund_id is not null;

comment on table payment_ledger is
    'Double entry: the lines of one capture, or of one refund, sum to zero. Rows are added; nothing changes or removes them.';
comment on column payment_ledger.refund_id is 'Null: the capture of the payment.';
comment on column payment_ledger.account is 'card, mpesa: what a gateway holds for the shop; orders: what buyers have paid for theirs.';
comment on column payment_ledger.amount is 'Positive: the account is debited; negative: credited. A capture debits the gateway and credits orders.';

create function check_ledger_balance() returns trigger language plpgsql set search_path from current as $$
begin
    if (select count(*) <> 2 or sum(amount) <> 0 or count(distinct currency) <> 1
        from payment_ledger
        where payment_id = new.payment_id and refund_id is not distinct from new.refund_id) then
        raise exception 'the ledger entry of payment %, refund % does not balance', new.payment_id, new.refund_id
            using errcode = 'check_violation', constraint = 'payment_ledger_balance';
    end if;
    return null;
end $$;
comment on function check_ledger_balance() is 'Deferred row trigger on payment_ledger: an entry is two lines that sum to zero when its transaction commits.';

create constraint trigger payment_ledger_balance after insert on payment_ledger deferrable initially deferred
    for each row execute function check_ledger_balance();

create function refuse_ledger_change() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger of payments is append-only: % refused', lower(tg_op);
end $$;
comment on function refuse_ledger_change() is 'Statement trigger on payment_ledger: what was booked stays.';

create trigger payment_ledger_append_only before update or delete or truncate on payment_ledger
    for each statement execute function refuse_ledger_change();

-- The audit -------------------------------------------------------------------------------------------------

-- A refund that an administrator asks for; what becomes of it is the gateway's to say. And what somebody does at a
-- prompt to one that only a person can settle.
insert into audit_field (entity, field, kind)
select 'refund', field, kind
from (values
    ('payment_id', 'plain'), ('order_id', 'plain'), ('amount', 'money'), ('status', 'plain'), ('reason', 'plain'),
    ('finished_at', 'time')
) as told (field, kind);

create trigger refund_audit after insert or update or delete on refund for each row
    when (audit_mode() in ('', 'user'))
    execute function note_row('refund');
