-- What administrators do to orders and parcels is told; what the shop and its customers do is the orders' timeline.

insert into audit_field (entity, field, kind)
select entity, field, case when field like '%\_at' then 'time' else 'plain' end
from (values
    ('order', array['status', 'payment_status', 'cancel_reason', 'shipped_at', 'cancelled_at']),
    ('shipment', array['order_id', 'tracking_number', 'carrier', 'status', 'shipped_at', 'delivered_at'])
) as told (entity, fields), unnest(fields) as field;

-- Somebody else's order: one's own is a purchase.
create trigger orders_audit after update of status, payment_status on orders for each row
    when (audit_mode() in ('', 'user') and old.user_id::text is distinct from nullif(current_setting('duka.actor_id', true), ''))
    execute function note_row('order');

create trigger shipment_audit after insert or update or delete on shipment for each row
    when (audit_mode() <> 'off')
    execute function note_row('shipment');
