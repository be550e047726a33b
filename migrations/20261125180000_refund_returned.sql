-- A refund that had gone out can come back: the bank of a card does not take it. Then the shop has the money again.

alter table payment_ledger
    add column is_return boolean not null default false,
    add constraint payment_ledger_return_check check (not is_return or refund_id is not null);

comment on column payment_ledger.is_return is 'The refund came back: the lines of its entry with the signs changed.';
comment on table payment_ledger is
    'Double entry: the lines of one capture, of one refund, or of its return, sum to zero. Rows are added; nothing changes or removes them.';

drop index payment_ledger_refund_key;
create unique index payment_ledger_refund_key on payment_ledger (refund_id, account, is_return) where refund_id is not null;

create or replace function check_ledger_balance() returns trigger language plpgsql set search_path from current as $$
begin
    if (select count(*) <> 2 or sum(amount) <> 0 or count(distinct currency) <> 1
        from payment_ledger
        where payment_id = new.payment_id and refund_id is not distinct from new.refund_id
          and is_return = new.is_return) then
        raise exception 'the ledger entry of payment %, refund % does not balance', new.payment_id, new.refund_id
            using errcode = 'check_violation', constraint = 'payment_ledger_balance';
    end if;
    return null;
end $$;
