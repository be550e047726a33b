-- Money that came in otherwise than it was asked for and can go back, attempts that nobody wants any more and that must
-- not be payable, and the second name of a reversal.

alter table payment
    add column received_amount numeric(12,2)
        constraint payment_received_amount_check check (received_amount > 0),
    add column received_currency text
        constraint payment_received_currency_check check (received_currency ~ '^[A-Z]{3}$'),
    add column abandoned_at timestamptz,
    add constraint payment_received_check check (
        num_nonnulls(received_amount, received_currency) in (0, 2)
        and (received_amount is null or payment_status <> 'succeeded')
    ),
    drop constraint payment_refunded_amount_check,
    add constraint payment_refunded_amount_check
        check (refunded_amount between 0 and coalesce(received_amount, amount)),
    drop constraint payment_refunded_check,
    add constraint payment_refunded_check
        check (refunded_amount = 0 or payment_status = 'succeeded' or received_amount is not null);

comment on column payment.received_amount is
    'What the gateway says was paid, where it is not what was asked for: it pays no order, and can only go back.';
comment on column payment.received_currency is 'What received_amount is in; set together with it.';
comment on column payment.abandoned_at is
    'Since when nobody wants it any more (its order is paid otherwise or given up, or there is a newer attempt): it is withdrawn at the gateway.';
comment on column payment.next_check_at is
    'When to ask the gateway, should it stay silent, or to withdraw an intent there that was declined and could still be paid. Null: it has ended, or nobody needs to be asked.';

-- Every time round: attempts that could still be paid though nobody wants them.
create index payment_withdrawable_idx on payment (order_id)
    where abandoned_at is null
      and (payment_status in ('pending', 'processing', 'unknown')
           or payment_status = 'failed' and payment_method = 'card' and transaction_id is not null);
-- Every time round: money that pays nothing.
create index payment_received_idx on payment (order_id) where received_amount is not null;

alter table refund
    add column gateway_request_id text
        constraint refund_gateway_request_id_check check (char_length(gateway_request_id) between 1 and 255),
    add column sent_at timestamptz;

comment on column refund.gateway_request_id is
    'M-Pesa''s OriginatorConversationID, told with gateway_refund_id: a result must name both.';
comment on column refund.sent_at is 'When it was last about to be sent: for how long its result has been waited for.';
comment on column payment_ledger.refund_id is
    'Null: the capture of the payment, of what was received where that is something else; that is booked when it begins to go back.';
comment on column idempotency_key.route is 'Method and route of the request; what its path names is part of request_hash.';
comment on column idempotency_key.request_hash is
    'SHA-256 of what the path names and of the canonical request body: the same key with another is refused.';
