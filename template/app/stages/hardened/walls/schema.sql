CREATE SCHEMA IF NOT EXISTS hardened
--
-- So `flask promote` knows that there are no rows in it to carry.
COMMENT ON SCHEMA hardened IS 'made by flask db upgrade'
--
-- Whose data are here, where that isn't what everybody's are. A pool needs no row for a tenant.
CREATE TABLE IF NOT EXISTS hardened.placements (
    tenant_id uuid PRIMARY KEY,
    epoch bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'fenced', 'gone'))
)
--
CREATE TABLE IF NOT EXISTS hardened.kind (kind text PRIMARY KEY CHECK (kind IN ('pool', 'silo')))
--
DROP TABLE IF EXISTS hardened.example
--
CREATE TABLE hardened.example (tenant_id uuid)
--
-- Each transaction of a tenant begins with it. The lock is the fence: who moves a tenant takes it
-- alone, and so waits for the transactions that have begun; those to come find the new state.
CREATE OR REPLACE PROCEDURE hardened.enter(wanted uuid, known bigint)
LANGUAGE plpgsql AS $$
DECLARE
    kind text;
    state text;
    epoch bigint;
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtextextended(wanted::text, 0));
    SELECT k.kind, p.state, p.epoch INTO kind, state, epoch
    FROM hardened.kind k LEFT JOIN hardened.placements p ON p.tenant_id = wanted;
    IF state = 'fenced' THEN
        RAISE EXCEPTION USING ERRCODE = 'TN003', MESSAGE = 'this tenant is being moved';
    ELSIF coalesce(state, CASE kind WHEN 'pool' THEN 'active' END, 'gone') <> 'active'
        OR coalesce(epoch, 0) <> known THEN
        RAISE EXCEPTION USING ERRCODE = 'TN001',
            MESSAGE = 'this tenant is not served here, or not at this epoch';
    END IF;
    PERFORM pg_catalog.set_config('app.tenant_id', wanted::text, true);
END
$$
--
REVOKE ALL ON PROCEDURE hardened.enter(uuid, bigint) FROM PUBLIC
