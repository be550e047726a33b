-- Whether a review's author has bought is worked out when somebody looks: no column says it, so no line can tell it.
delete from audit_field where entity = 'review' and field = 'verified_purchase';
