-- Each rule is a question to the catalogue; every row of its answer, a place and a detail, is a
-- finding. It begins with its name, whether a finding keeps the application from starting, and what
-- to do. `tenants` are the tables with rows of tenants; `walled` has those of each process, too.

-- name: common
WITH RECURSIVE me AS (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
walled AS (
    SELECT c.oid, c.oid::regclass::text AS name, c.relname, c.relowner AS owner,
           c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
           CASE WHEN c.relname ~ '^shared_' OR c.relname = ANY (CAST(:spanning AS text[]))
                THEN 'shared' ELSE 'tenant' END AS kind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
      AND n.nspname NOT IN ('information_schema', 'hardened') AND c.relname !~ '^auth_'
),
tenants AS (SELECT * FROM walled WHERE relname !~ '^shared_'),
-- Which tables and views each view sees, through other views as well.
sees (view, oid) AS (
    SELECT r.ev_class, d.refobjid FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    UNION
    SELECT s.view, d.refobjid FROM sees s JOIN pg_rewrite r ON r.ev_class = s.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
)

-- rule: row security · refusal
-- has no row-level security, so its rows are everybody's: run `flask db upgrade`
SELECT name, '' FROM walled WHERE NOT enabled

-- rule: forced · refusal
-- doesn't force row-level security on its owner: run `flask db upgrade`
SELECT name, '' FROM walled WHERE enabled AND NOT forced

-- rule: policy · refusal
-- has no policy that keeps to the tenant, or another one than it should: run `flask db upgrade`
SELECT w.name, '' FROM walled w
WHERE w.enabled AND NOT EXISTS (
    SELECT FROM pg_policy p JOIN pg_policy e ON e.polname = p.polname
        AND e.polrelid = to_regclass('hardened.example')
    WHERE p.polrelid = w.oid AND p.polname = 'hardened_' || w.kind
      AND p.polcmd = '*' AND p.polpermissive AND p.polroles = '{0}'
      AND pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(e.polqual, e.polrelid)
      AND pg_get_expr(p.polwithcheck, p.polrelid) = pg_get_expr(e.polqual, e.polrelid))

-- rule: second policy · refusal
-- has another permissive policy, which lets through what the first one holds: make it RESTRICTIVE
SELECT w.name, p.polname FROM walled w JOIN pg_policy p ON p.polrelid = w.oid
WHERE p.polpermissive AND p.polname <> 'hardened_' || w.kind
  AND NOT (p.polname = 'hardened_at_work' AND p.polroles = ARRAY[w.owner])

-- rule: tenant_id may be null · refusal
-- lets `tenant_id` be NULL: such a row is nobody's
SELECT t.name, '' FROM tenants t JOIN pg_attribute a ON a.attrelid = t.oid
WHERE a.attname = 'tenant_id' AND NOT a.attnotnull

-- rule: type of tenant_id · refusal
-- has a `tenant_id` that isn't a uuid, so no policy can compare it
SELECT w.name, format_type(a.atttypid, a.atttypmod) FROM walled w
JOIN pg_attribute a ON a.attrelid = w.oid
WHERE a.attname = 'tenant_id' AND a.atttypid <> 'uuid'::regtype

-- rule: primary key · refusal
-- has a primary key that doesn't begin with `tenant_id`: mix in BelongsToTenant
SELECT t.name, i.indexrelid::regclass::text FROM tenants t JOIN pg_index i ON i.indrelid = t.oid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'tenant_id'
WHERE i.indisprimary AND i.indkey[0] <> a.attnum

-- rule: unique without the tenant · refusal
-- says to one tenant what another one has: put `tenant_id` first, or say on the column or the constraint why not: info={"spans_tenants": "why"}
SELECT t.name, i.indexrelid::regclass::text FROM tenants t JOIN pg_index i ON i.indrelid = t.oid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'tenant_id'
WHERE i.indisunique AND NOT i.indisprimary AND a.attnum <> ALL (i.indkey::int2[])
  AND (SELECT t.name || '.' || string_agg(attname, ',' ORDER BY attname) FROM pg_attribute
       WHERE attrelid = t.oid AND attnum = ANY (i.indkey::int2[])) <> ALL (CAST(:excused AS text[]))

-- rule: foreign key without the tenant · refusal
-- points to another tenant's rows as well as to its own: ForeignKeyConstraint with `tenant_id`
SELECT t.name, k.conname FROM tenants t JOIN pg_constraint k ON k.conrelid = t.oid
JOIN tenants o ON o.oid = k.confrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'tenant_id'
JOIN pg_attribute b ON b.attrelid = o.oid AND b.attname = 'tenant_id'
WHERE k.contype = 'f' AND NOT EXISTS (
    SELECT FROM unnest(k.conkey, k.confkey) AS pair (here, there)
    WHERE pair.here = a.attnum AND pair.there = b.attnum)

-- rule: no tenant_id · refusal
-- has no `tenant_id` but refers to rows of tenants: mix in BelongsToTenant, or say in the model why not: info={"spans_tenants": "why"}
SELECT DISTINCT c.oid::regclass::text, o.name FROM pg_class c
JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f'
JOIN tenants o ON o.oid = k.confrelid
WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id')
  AND c.relname <> ALL (CAST(:spanning AS text[]))

-- rule: role · refusal
-- is the application's role and passes every wall: it must be no superuser and have no BYPASSRLS
SELECT rolname, '' FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)

-- rule: role is a member · refusal
-- is a role that the application's may become, and it passes the walls: REVOKE it
SELECT r.rolname, '' FROM pg_roles r
WHERE r.rolname <> current_user AND pg_has_role(current_user, r.oid, 'MEMBER') AND NOT (SELECT rolsuper FROM me)
  AND (r.rolsuper OR r.rolbypassrls OR r.oid IN (SELECT owner FROM walled)
       OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files',
                        'pg_write_server_files'))

-- rule: role owns · refusal
-- belongs to the application's role, which may take down its walls: another role must own the tables, and MIGRATIONS_DATABASE_URL name it
SELECT name, '' FROM walled WHERE owner = current_user::regrole AND NOT (SELECT rolsuper FROM me)

-- rule: role may too much · refusal
-- lets the application's role go round the walls, or make something that does: REVOKE it
SELECT w.name, p.verb FROM walled w, unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (verb)
WHERE w.owner <> current_user::regrole AND has_table_privilege(w.oid, p.verb) AND NOT (SELECT rolsuper FROM me)
UNION ALL
SELECT 'schema ' || nspname, 'CREATE' FROM pg_namespace
WHERE (oid = current_schema()::regnamespace OR nspname = 'hardened')
  AND has_schema_privilege(oid, 'CREATE') AND NOT (SELECT rolsuper FROM me)
UNION ALL
SELECT 'database ' || current_database(), 'CREATE'
WHERE has_database_privilege(current_database(), 'CREATE') AND NOT (SELECT rolsuper FROM me)
UNION ALL
SELECT c.oid::regclass::text, p.verb FROM pg_class c,
    unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (verb)
WHERE c.relnamespace = to_regnamespace('hardened') AND c.relkind = 'r'
  AND c.relname IN ('placements', 'kind')
  AND has_table_privilege(c.oid, p.verb) AND NOT (SELECT rolsuper FROM me)

-- rule: no way in · refusal
-- isn't there, or not for the application's role, so no tenant's transaction can begin: run `flask db upgrade`
SELECT 'hardened.enter', '' WHERE EXISTS (SELECT FROM walled) AND NOT coalesce(
    has_function_privilege(to_regprocedure('hardened.enter(uuid, bigint)'), 'EXECUTE'), false)

-- rule: view · refusal
-- shows rows of tenants with its owner's eyes: make it WITH (security_invoker = true)
SELECT DISTINCT v.oid::regclass::text, '' FROM sees s JOIN pg_class v ON v.oid = s.view
WHERE v.relkind = 'v' AND s.oid IN (SELECT oid FROM walled)
  AND coalesce(v.reloptions::text, '') !~ 'security_invoker=(true|on|1)'
  AND has_table_privilege(v.oid, 'SELECT')

-- rule: materialised view · refusal
-- keeps rows of tenants where no policy holds: REVOKE SELECT on it from the application's role
SELECT DISTINCT v.oid::regclass::text, '' FROM sees s JOIN pg_class v ON v.oid = s.view
WHERE v.relkind = 'm' AND s.oid IN (SELECT oid FROM walled) AND has_table_privilege(v.oid, 'SELECT')

-- rule: foreign table · refusal
-- has a `tenant_id`, but no policy can hold in a table of another server: REVOKE it
SELECT c.oid::regclass::text, '' FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
WHERE c.relkind = 'f' AND has_table_privilege(c.oid, 'SELECT')

-- rule: function with its owner's rights · refusal
-- runs as its owner: REVOKE EXECUTE from PUBLIC, or review it, COMMENT ON FUNCTION ... IS 'reviewed: why', and let it SET search_path
SELECT p.oid::regprocedure::text, '' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND has_function_privilege(p.oid, 'EXECUTE')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                  AND d.objid = p.oid AND d.deptype = 'e')
  AND NOT (coalesce(obj_description(p.oid, 'pg_proc'), '') ~* '^reviewed: .'
           AND coalesce(p.proconfig::text, '') ~ 'search_path=')

-- rule: sequence · notice
-- counts over all tenants: it tells each how much the others have, and hinders a move; ids are UUIDs
SELECT t.name, d.objid::regclass::text FROM tenants t
JOIN pg_depend d ON d.refobjid = t.oid AND d.classid = 'pg_class'::regclass
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'

-- rule: index that isn't used · notice
-- isn't used behind the wall, as its type or expression may leak: narrow by another column first
SELECT DISTINCT t.name, i.indexrelid::regclass::text FROM tenants t
JOIN pg_index i ON i.indrelid = t.oid
LEFT JOIN unnest(i.indclass::oid[]) AS c (opclass) ON true
LEFT JOIN pg_opclass o ON o.oid = c.opclass
LEFT JOIN pg_amop m ON m.amopfamily = o.opcfamily AND m.amoplefttype = o.opcintype
    AND m.amoprighttype = o.opcintype
LEFT JOIN pg_operator f ON f.oid = m.amopopr
LEFT JOIN pg_proc p ON p.oid = f.oprcode
WHERE i.indexprs IS NOT NULL OR NOT p.proleakproof

-- rule: temporary tables · notice
-- lets the application's role make temporary tables, which outlive a transaction on a shared connection: REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC
SELECT 'database ' || current_database(), ''
WHERE has_database_privilege(current_database(), 'TEMPORARY') AND NOT (SELECT rolsuper FROM me)

-- rule: release of PostgreSQL · notice
-- has known holes in row-level security (CVE-2025-8713 and before): update to its newest minor release
SELECT 'PostgreSQL ' || current_setting('server_version'), '' FROM (
    SELECT current_setting('server_version_num')::int / 10000 AS major,
           current_setting('server_version_num')::int % 10000 AS minor) AS v
WHERE minor < CASE major WHEN 17 THEN 6 WHEN 16 THEN 10 WHEN 15 THEN 14 WHEN 14 THEN 19
                         WHEN 13 THEN 22 ELSE 0 END OR major < 13
