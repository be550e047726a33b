-- Payments: attempts, refunds, what gateways told us, and the answers that a repeated request gets again.

create table payment (
    id                  bigint        generated always as identity constraint payment_pkey primary key,
    order_id            bigint        not null constraint payment_order_id_fkey references orders (id) on delete restrict,
    payment_method      text          not null constraint payment_method_check check (payment_method in ('card', 'mpesa', 'cash_on_delivery')),
    payment_status      text          not null default 'pending'
        constraint payment_status_check check (payment_status in ('pending', 'processing', 'succeeded', 'failed', 'cancelled', 'unknown')),
    amount              numeric(12,2) not null constraint payment_amount_check check (amount between 0 and 9999999999.99),
    refunded_amount     numeric(12,2) not null default 0
        constraint payment_refunded_amount_check check (refunded_amount between 0 and amount),
    currency            text          not null constraint payment_currency_check check (currency ~ '^[A-Z]{3}$'),
    phone_number        text          constraint payment_phone_number_check check (phone_number ~ '^254[17][0-9]{8}$'),
    transaction_id      text          constraint payment_transaction_id_check check (char_length(transaction_id) between 1 and 255),
    checkout_request_id text          constraint payment_checkout_request_id_check check (char_length(checkout_request_id) between 1 and 255),
    merchant_request_id text          constraint payment_merchant_request_id_check check (char_length(merchant_request_id) between 1 and 255),
    callback_token_hash bytea         constraint payment_callback_token_hash_check check (octet_length(callback_token_hash) = 32),
    client_secret       text          constraint payment_client_secret_check check (char_length(client_secret) between 1 and 500),
    result_code         text          constraint payment_result_code_check check (char_length(result_code) <= 100),
    result_description  text          constraint payment_result_description_check check (char_length(result_description) <= 1000),
    attention           text          constraint payment_attention_check check (char_length(attention) between 1 and 500),
    checks              integer       not null default 0 constraint payment_checks_check check (checks >= 0),
    next_check_at       timestamptz,
    payment_date        timestamptz   not null default now(),
    paid_at             timestamptz,
    updated_at          timestamptz   not null default now(),
    constraint payment_phone_number_required_check check (payment_method <> 'mpesa' or phone_number is not null),
    constraint payment_paid_at_check check ((payment_status = 'succeeded') = (paid_at is not null)),
    constraint payment_refunded_check check (refunded_amount = 0 or payment_status = 'succeeded')
);

-- One live attempt per order. Two may have SUCCEEDED (a late success of one that was given up): the surplus is
-- refunded, so nothing here may refuse it.
create unique index payment_live_key on payment (order_id) where payment_status in ('pending', 'processing', 'unknown');
-- The latest attempt of an order.
create index payment_order_id_idx on payment (order_id, id);
-- Callbacks find their attempt.
create unique index payment_transaction_id_key on payment (payment_method, transaction_id);
create unique index payment_checkout_request_id_key on payment (checkout_request_id);
create unique index payment_callback_token_hash_key on payment (callback_token_hash);
-- The reconciler: `where next_check_at <= now() order by next_check_at for update skip locked`.
create index payment_next_check_at_idx on payment (next_check_at) where next_check_at is not null;
create index payment_attention_idx on payment (id) where attention is not null;

comment on table payment is 'An attempt to pay an order. Moves under the order''s lock; a success after a failure wins, a failure never overrides a success.';
comment on column payment.payment_status is 'Live: pending (not yet sent), processing (sent), unknown (sent, and no answer tells what became of it).';
comment on column payment.refunded_amount is 'Sum of its refunds that have not failed: reserved when a refund is asked for, given back when it fails.';
comment on column payment.phone_number is 'The payer''s, as 2547… or 2541…; M-Pesa only.';
comment on column payment.transaction_id is 'The gateway''s: a card payment''s intent, M-Pesa''s receipt. Null until the gateway names one.';
comment on column payment.checkout_request_id is 'M-Pesa: names the prompt on the phone. A callback must match this and merchant_request_id.';
comment on column payment.callback_token_hash is 'SHA-256 of the unguessable token in this attempt''s callback address.';
comment on column payment.client_secret is 'Card: with it the payer''s browser confirms this one attempt. Kept in clear, since it is handed out again; cleared when the attempt ends.';
comment on column payment.result_code is 'As the gateway gave it; text, since gateways disagree on what a code is.';
comment on column payment.attention is 'Why a person must look at it (money for a cancelled order that could not be sent back, a wrong amount); null: nobody needs to.';
comment on column payment.checks is 'How often the gateway was asked about it: what the next wait is computed from.';
comment on column payment.next_check_at is 'When to ask the gateway, should it stay silent. Null: it has ended, or nobody needs to be asked.';
comment on column payment.payment_date is 'When the attempt was made.';

create trigger payment_touch before update on payment for each row execute function touch_updated_at();

create table refund (
    id                bigint        generated always as identity constraint refund_pkey primary key,
    payment_id        bigint        not null constraint refund_payment_id_fkey references payment (id) on delete restrict,
    order_id          bigint        not null constraint refund_order_id_fkey references orders (id) on delete restrict,
    amount            numeric(12,2) not null constraint refund_amount_check check (amount > 0),
    status            text          not null default 'pending'
        constraint refund_status_check check (status in ('pending', 'processing', 'succeeded', 'failed', 'unknown', 'manual')),
    reason            text          not null constraint refund_reason_check check (char_length(reason) between 1 and 200),
    gateway_refund_id text          constraint refund_gateway_refund_id_check check (char_length(gateway_refund_id) between 1 and 255),
    error             text          constraint refund_error_check check (char_length(error) <= 1000),
    requested_by      bigint        constraint refund_requested_by_fkey references users (id) on delete restrict,
    checks            integer       not null default 0 constraint refund_checks_check check (checks >= 0),
    next_check_at     timestamptz,
    created_at        timestamptz   not null default now(),
    finished_at       timestamptz,
    updated_at        timestamptz   not null default now(),
    constraint refund_finished_at_check check ((status in ('succeeded', 'failed')) = (finished_at is not null))
);

create index refund_payment_id_idx on refund (payment_id, id);
create index refund_order_id_idx on refund (order_id, id);
create unique index refund_gateway_refund_id_key on refund (gateway_refund_id);
create index refund_next_check_at_idx on refund (next_check_at) where next_check_at is not null;

comment on table refund is 'Money on its way back. First written, then asked of the gateway under its id as idempotency key, so that no retry pays twice.';
comment on column refund.status is 'manual: no gateway can do it (cash), a person must.';
comment on column refund.requested_by is 'Null: the shop itself (a payment for a cancelled order, a second success).';
comment on column refund.next_check_at is 'When to send it or ask about it; null: it has ended or waits for a person.';

create trigger refund_touch before update on refund for each row execute function touch_updated_at();

create table payment_inbox (
    id              bigint      generated always as identity constraint payment_inbox_pkey primary key,
    provider        text        not null constraint payment_inbox_provider_check check (provider in ('card', 'mpesa')),
    event_id        text        not null constraint payment_inbox_event_id_check check (char_length(event_id) between 1 and 255),
    payment_id      bigint      constraint payment_inbox_payment_id_fkey references payment (id) on delete restrict,
    body            bytea       not null constraint payment_inbox_body_check check (octet_length(body) <= 262144),
    received_at     timestamptz not null default now(),
    attempts        integer     not null default 0 constraint payment_inbox_attempts_check check (attempts >= 0),
    next_attempt_at timestamptz not null default now(),
    processed_at    timestamptz,
    error           text        constraint payment_inbox_error_check check (char_length(error) <= 1000),
    constraint payment_inbox_event_key unique (provider, event_id)
);

create index payment_inbox_waiting_idx on payment_inbox (next_attempt_at) where processed_at is null;

comment on table payment_inbox is 'Callbacks that passed verification, kept before they are answered and processed after. The same event twice is one row.';
comment on column payment_inbox.event_id is 'The gateway''s; for M-Pesa, which names none, made of the request id and the result.';
comment on column payment_inbox.payment_id is 'The attempt it was matched to, once it was.';
comment on column payment_inbox.body is 'The raw bytes that were verified.';
comment on column payment_inbox.processed_at is 'Null: still to do, at next_attempt_at.';

create table idempotency_key (
    id               bigint      generated always as identity constraint idempotency_key_pkey primary key,
    user_id          bigint      not null constraint idempotency_key_user_id_fkey references users (id) on delete restrict,
    route            text        not null constraint idempotency_key_route_check check (char_length(route) between 1 and 200),
    key              text        not null constraint idempotency_key_key_check check (char_length(key) between 1 and 255),
    request_hash     bytea       not null constraint idempotency_key_request_hash_check check (octet_length(request_hash) = 32),
    response_status  smallint    constraint idempotency_key_response_status_check check (response_status between 200 and 599),
    response_headers jsonb       constraint idempotency_key_response_headers_check check (jsonb_typeof(response_headers) = 'object'),
    response_body    bytea,
    created_at       timestamptz not null default now(),
    finished_at      timestamptz,
    constraint idempotency_key_user_route_key unique (user_id, route, key),
    constraint idempotency_key_finished_check check (num_nonnulls(response_status, response_body, finished_at) in (0, 3))
);

-- Housekeeping deletes keys older than seven days.
create index idempotency_key_created_at_idx on idempotency_key (created_at);

comment on table idempotency_key is 'First answers, for repeated requests. Inserted `on conflict do nothing` in the transaction that does the work.';
comment on column idempotency_key.route is 'Method and path of the request, ids included.';
comment on column idempotency_key.request_hash is 'SHA-256 of the canonical request body: the same key with another is refused.';
comment on column idempotency_key.finished_at is 'Null: committed without an answer yet, since a gateway is being asked meanwhile.';
comment on column idempotency_key.response_body is 'The bytes that were sent. Set together with response_status and finished_at.';
