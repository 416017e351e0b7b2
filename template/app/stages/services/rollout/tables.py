"""Where rollouts are remembered: a schema of its own in auth's database.

The tables are made at the first use, by the role that owns the database. They are no package's
business, so no package's history of migrations knows them (decision 0024).
"""

from sqlalchemy import Connection, text

LOCK = 0x57A6E4011
MAKE = (
    "CREATE SCHEMA rollout",
    """CREATE TABLE rollout.releases (
        name text PRIMARY KEY,
        upstreams jsonb NOT NULL DEFAULT '{}',
        heads jsonb NOT NULL DEFAULT '{}',
        known_since timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE rollout.gateway (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        made integer NOT NULL,
        version bigint NOT NULL DEFAULT 0,
        release text REFERENCES rollout.releases,
        previous text REFERENCES rollout.releases)""",
    """CREATE TABLE rollout.rollouts (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        release text NOT NULL REFERENCES rollout.releases,
        previous text NOT NULL REFERENCES rollout.releases,
        state text NOT NULL DEFAULT 'running'
            CHECK (state IN ('running', 'paused', 'done', 'stopped')),
        waves jsonb NOT NULL,
        wave integer NOT NULL DEFAULT -1,
        why text NOT NULL DEFAULT '',
        driver text NOT NULL DEFAULT '',
        began_at timestamptz NOT NULL DEFAULT now(),
        wave_at timestamptz NOT NULL DEFAULT now(),
        watched_at timestamptz NOT NULL DEFAULT now(),
        journey_wave integer NOT NULL DEFAULT -1,
        ended_at timestamptz)""",
    """CREATE UNIQUE INDEX one_at_a_time ON rollout.rollouts ((true))
        WHERE state IN ('running', 'paused')""",
    """CREATE TABLE rollout.tenants (
        rollout bigint NOT NULL REFERENCES rollout.rollouts,
        tenant uuid NOT NULL,
        wave integer NOT NULL,
        visits integer NOT NULL DEFAULT 0,
        PRIMARY KEY (rollout, wave, tenant),
        UNIQUE (rollout, tenant))""",
    """CREATE TABLE rollout.pins (
        tenant uuid PRIMARY KEY,
        release text NOT NULL REFERENCES rollout.releases,
        rollout bigint REFERENCES rollout.rollouts)""",
    """CREATE TABLE rollout.steps (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        rollout bigint REFERENCES rollout.rollouts,
        at timestamptz NOT NULL DEFAULT now(),
        who text NOT NULL,
        what text NOT NULL,
        why text NOT NULL DEFAULT '')""",
    """CREATE TABLE rollout.followers (
        name text PRIMARY KEY,
        version bigint NOT NULL,
        problem text NOT NULL DEFAULT '',
        seen_at timestamptz NOT NULL DEFAULT now())""",
    "INSERT INTO rollout.gateway (made) VALUES (1)",
)


def are_there(connection: Connection) -> bool:
    return connection.scalar(text("SELECT to_regclass('rollout.gateway')")) is not None


def make(connection: Connection, reader: str | None) -> None:
    """Make what is missing, and let the application's role read it and say how far it follows."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    if are_there(connection):
        return
    for statement in MAKE:
        connection.execute(text(statement))
    if reader:
        allow(connection, reader)


def allow(connection: Connection, role: str) -> None:
    """Let a role follow: read the pins and the slugs, and say how far it is."""
    name = connection.dialect.identifier_preparer.quote(role)
    for grant in (
        f"GRANT USAGE ON SCHEMA rollout TO {name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA rollout TO {name}",
        f"GRANT INSERT, UPDATE, DELETE ON rollout.followers TO {name}",
        f"GRANT SELECT (id, slug) ON auth_tenants TO {name}",
    ):
        connection.execute(text(grant))
