-- Imports over HTTP: which write their client can wait for.

alter table job add column catalog_version text
    constraint job_catalog_version_check check (char_length(catalog_version) between 1 and 100);

comment on column job.catalog_version is
    'The last write of an import that kept something, as X-Catalog-Version names it: a search can wait for it.';
