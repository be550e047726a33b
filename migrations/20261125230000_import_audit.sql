-- An import that is asked for over HTTP is told of as other jobs are: who, which file, how. What it kept, its own lines
-- say, under the same request.

drop trigger job_audit on job;
create trigger job_audit after insert on job for each row
    when (audit_mode() <> 'off')
    execute function note_row('job');
