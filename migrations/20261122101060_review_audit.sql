-- What an administrator does to somebody else's review is told; what people do to their own is theirs.

insert into audit_field (entity, field, kind)
select 'review', field, case field when 'comment' then 'personal' else 'plain' end
from unnest(array['user_id', 'product_id', 'rating', 'comment', 'verified_purchase']) as field;

create trigger review_audit after delete on review for each row
    when (audit_mode() in ('', 'user') and old.user_id::text is distinct from nullif(current_setting('duka.actor_id', true), ''))
    execute function note_row('review');
