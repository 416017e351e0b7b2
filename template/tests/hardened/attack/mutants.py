"""The mutants: each takes out one wall, or a part of one. The suite must notice every one.

Some walls stand behind others, so that a hole in one shows nothing outside. Such a mutant is
judged where its wall stands alone: `orm` without the database's walls, `database` without the
session's. A mutant is made in the running process, by another function or by SQL.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from flask import Response, abort, request
from flask_sqlalchemy.session import Session
from sqlalchemy import bindparam, delete, event, null, select, true
from sqlalchemy.orm import with_loader_criteria

from app import csrf, events, idempotency, jobs, logs
from app.access import requires
from app.analytics.models import Fact
from app.auth import identity, members
from app.auth.identity import WHO, Identity
from app.auth.models import ApiToken, User
from app.billing import views as billing_views
from app.db import close_connections, db, now
from app.events import LISTENERS, Event
from app.idempotency import IdempotencyRow
from app.jobs import KNOWN
from app.queue import Messages
from app.stages.hardened.walls import policies, transactions
from app.stages.services import identity_store, identity_token
from app.stages.services.identity_token import Credential
from app.tenancy import BelongsToTenant, Tenant, context, current_tenant, prepared, serving
from app.tenancy import session as walls
from app.tenancy.session import TenantSession
from app.tenancy.urls import SLUG, TenantInUrl
from tests.hardened.attack.field import Field, say, table_of
from tests.hardened.attack.layers import not_narrowed, put, unheard

Sabotage = Callable[[Field], AbstractContextManager[Any]]
ACROSS = {"across_tenants": "a mutant"}


@dataclass(frozen=True)
class Mutant:
    """One wall less: at which layer it's judged, by which attack, and on which of its ways."""

    name: str
    layer: str
    attack: str
    sabotage: Sabotage
    way: str = ""


MUTANTS: list[Mutant] = []
ROWS = "ways to a row"


def mutant(name: str, layer: str, attack: str, way: str = "") -> Callable[[Sabotage], Sabotage]:
    def keep(sabotage: Sabotage) -> Sabotage:
        MUTANTS.append(Mutant(name, layer, attack, sabotage, way))
        return sabotage

    return keep


# --- The session's walls -------------------------------------------------------------------------


def only_for(model: Any, criteria: Any, *, aliases: bool = True) -> Any:
    return with_loader_criteria(model, criteria, include_aliases=aliases)


@mutant("the session narrows nothing", "orm", ROWS, "select a model")
def _(_field: Field) -> Any:
    return put(walls, "only_rows_of", lambda _: only_for(BelongsToTenant, lambda _model: true()))


@mutant("aliases aren't narrowed", "orm", ROWS, "alias")
def _(_field: Field) -> Any:
    def without_aliases(tenant_id: UUID) -> Any:
        return only_for(BelongsToTenant, lambda model: model.tenant_id == tenant_id, aliases=False)

    return put(walls, "only_rows_of", without_aliases)


@mutant("the filter looks at what is selected, not where from", "orm", ROWS, "count")
def _(_field: Field) -> Any:
    def by_entities(statement: Any) -> bool:
        found = getattr(statement, "column_descriptions", ())
        return any(one.get("entity") is not None for one in found)

    return put(walls, "touches_tenant_rows", by_entities)


@mutant("the key of a row is enough to get it", "orm", ROWS, "after a switch of the tenant")
def _(_field: Field) -> Any:
    def get(session: Any, entity: Any, ident: Any, **_: Any) -> Any:
        return Session.get(session, entity, ident, execution_options={walls.BY_KEY: True})

    return put(TenantSession, "get", get)


@mutant("the flush looks at nobody's rows", "orm", ROWS, "add a row of theirs")
def _(_field: Field) -> Any:
    return unheard("before_flush", walls.stamp)


@mutant("the flush looks at new rows only", "orm", ROWS, "hand ours over to them")
@contextmanager
def _(_field: Field) -> Iterator[None]:
    def stamp_new(session: Any, *_: Any) -> None:
        for row in session.new:
            if isinstance(row, BelongsToTenant) and row.tenant_id is None:
                row.tenant_id = current_tenant().id

    with unheard("before_flush", walls.stamp):
        event.listen(TenantSession, "before_flush", stamp_new)
        yield
        event.remove(TenantSession, "before_flush", stamp_new)


@mutant("raw SQL is let through", "orm", ROWS, "text")
def _(_field: Field) -> Any:
    return put(walls, "refuse_raw_sql", lambda _statement: None)


@mutant("tables are let through like models", "orm", ROWS, "table")
def _(_field: Field) -> Any:
    return put(walls, "refuse_what_cannot_be_narrowed", lambda _state: None)


@mutant("a bulk update by key is let through", "orm", ROWS, "bulk update by key")
def _(_field: Field) -> Any:
    return put(walls, "refuse_what_cannot_be_narrowed", lambda _state: None)


@mutant("bulk inserts are let through", "orm", ROWS, "bulk insert of mappings")
def _(_field: Field) -> Any:
    return put(TenantSession, "bulk_insert_mappings", Session.bulk_insert_mappings)


@mutant("bulk saves are let through", "orm", ROWS, "bulk save")
def _(_field: Field) -> Any:
    return put(TenantSession, "bulk_save_objects", Session.bulk_save_objects)


@mutant("bulk updates of mappings are let through", "orm", ROWS, "bulk update of mappings")
def _(_field: Field) -> Any:
    return put(TenantSession, "bulk_update_mappings", Session.bulk_update_mappings)


@mutant("prepared reads aren't narrowed", "orm", ROWS, "prepared read")
def _(_field: Field) -> Any:
    return put(prepared, "__init__", not_narrowed)


@mutant("prepared reads ask for another tenant", "orm", "foreign ids of somebody in both")
def _(field: Field) -> Any:
    run = prepared._run

    def run_for_them(read: Any, values: dict[str, Any]) -> Any:
        return run(read, values | {"current_tenant_id": field.theirs.tenant.id})

    return put(prepared, "_run", run_for_them)


@mutant("exports and lists aren't narrowed", "orm", "foreign ids of somebody in both")
@contextmanager
def _(_field: Field) -> Iterator[None]:
    with unheard("do_orm_execute", walls.narrow):
        yield


# --- The database's walls ------------------------------------------------------------------------

TABLE = table_of(Fact).name
TENANT = policies.QUALS["tenant"]


def by_sql(*change: str, undo: tuple[str, ...]) -> Sabotage:
    """Say it as the owner, and take it back."""

    @contextmanager
    def changed(field: Field) -> Iterator[None]:
        tell(field, change)
        try:
            yield
        finally:
            tell(field, undo)
            close_connections(field.app)  # What they were told, they may remember.

    return changed


def tell(field: Field, statements: tuple[str, ...]) -> None:
    role = f'"{role_of(field)}"'
    with field.looking() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.format(role=role).replace("%", "%%"))
        connection.commit()


def role_of(field: Field) -> str:
    with field.app.app_context():
        return str(db.engine.url.username)


mutant("one table's policy lets all read", "database", ROWS, "text, across tenants")(
    by_sql(
        f"ALTER POLICY hardened_tenant ON {TABLE} USING (true)",
        undo=(f"ALTER POLICY hardened_tenant ON {TABLE} USING ({TENANT})",),
    )
)
mutant("one table's policy lets all write", "database", ROWS, "insert by the engine")(
    by_sql(
        f"ALTER POLICY hardened_tenant ON {TABLE} WITH CHECK (true)",
        undo=(f"ALTER POLICY hardened_tenant ON {TABLE} WITH CHECK ({TENANT})",),
    )
)
mutant("one table has no walls", "database", ROWS, "the engine")(
    by_sql(
        f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
        undo=(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",),
    )
)
mutant("a second policy widens the first", "database", ROWS, "the reader")(
    by_sql(
        f"CREATE POLICY wider ON {TABLE} FOR SELECT USING (tenant_id IS NOT NULL)",
        undo=(f"DROP POLICY wider ON {TABLE}",),
    )
)
mutant("one table's owner is not walled", "all", "the owner")(
    by_sql(
        f"ALTER TABLE {TABLE} NO FORCE ROW LEVEL SECURITY",
        undo=(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",),
    )
)
mutant("a table of all tenants has an open policy", "all", "rows that others keep")(
    by_sql(
        "ALTER POLICY hardened_shared ON shared_audit USING (true)",
        undo=(f"ALTER POLICY hardened_shared ON shared_audit USING ({policies.QUALS['shared']})",),
    )
)
mutant("the application may truncate", "all", "taking walls down")(
    by_sql(
        f"GRANT TRUNCATE ON {TABLE} TO {{role}}",
        undo=(f"REVOKE TRUNCATE ON {TABLE} FROM {{role}}",),
    )
)
mutant("the application may make triggers", "all", "taking walls down")(
    by_sql(
        f"GRANT TRIGGER ON {TABLE} TO {{role}}", undo=(f"REVOKE TRIGGER ON {TABLE} FROM {{role}}",)
    )
)
mutant("the application may write the fence", "all", "taking walls down")(
    by_sql(
        "GRANT INSERT ON hardened.placements TO {role}",
        undo=("REVOKE INSERT ON hardened.placements FROM {role}",),
    )
)
mutant("a view has its owner's rights", "all", "ways round")(
    by_sql(
        f"CREATE VIEW everything AS SELECT * FROM {TABLE}",
        "GRANT SELECT ON everything TO {role}",
        undo=("DROP VIEW everything",),
    )
)
mutant("a function has its owner's rights", "all", "ways round")(
    by_sql(
        "CREATE FUNCTION everything() RETURNS bigint LANGUAGE sql SECURITY DEFINER "
        f"AS 'SELECT count(*) FROM {TABLE}'",
        undo=("DROP FUNCTION everything()",),
    )
)


def another_enter(*swap: tuple[str, str]) -> Sabotage:
    """Change the function that begins a tenant's transaction."""

    @contextmanager
    def changed(field: Field) -> Iterator[None]:
        whole = "SELECT pg_get_functiondef('hardened.enter(uuid, bigint)'::regprocedure)"
        with field.looking() as connection:
            before = str(connection.exec_driver_sql(whole).scalar())
        after = before
        for was, will_be in swap:
            assert was in after, f"hardened.enter doesn't say {was!r}"
            after = after.replace(was, will_be)
        tell_as_it_is(field, after)
        try:
            yield
        finally:
            tell_as_it_is(field, before)
            close_connections(field.app)

    return changed


def tell_as_it_is(field: Field, statement: str) -> None:
    with field.looking() as connection:
        connection.exec_driver_sql(statement)
        connection.commit()


mutant("the tenant is set for the session", "all", "nobody's transaction")(
    another_enter(("wanted::text, true)", "wanted::text, false)"))
)
mutant("the epoch isn't looked at", "all", "other epochs")(
    another_enter(("coalesce(epoch, 0) <> known", "false"))
)
mutant("a tenant that is gone is served", "all", "other epochs")(
    another_enter(("'gone') <> 'active'", "'gone') = 'never'"))
)
mutant("the fence isn't looked at", "all", "other epochs")(
    another_enter(("state = 'fenced'", "state = 'never'"), ("'gone') <> 'active'", "'x') = 'y'"))
)


@mutant("a transaction may change its tenant", "all", "two tenants in one transaction")
@contextmanager
def _(field: Field) -> Iterator[None]:
    engines = [
        engine for pair in field.app.extensions["engines_by_url"].values() for engine in pair
    ]
    listener = transactions.keep_to_the_tenant
    for engine in engines:
        event.remove(engine, "before_cursor_execute", listener)
    yield
    for engine in engines:
        event.listen(engine, "before_cursor_execute", listener)


@mutant("the application's role passes all policies", "all", "ways round")
@contextmanager
def _(field: Field) -> Iterator[None]:
    role = role_of(field)
    say(field.server, f'ALTER ROLE "{role}" BYPASSRLS')
    yield
    say(field.server, f'ALTER ROLE "{role}" NOBYPASSRLS')


@mutant("the application may become the owner", "all", "taking walls down")
@contextmanager
def _(field: Field) -> Iterator[None]:
    role, owner = role_of(field), role_of(field).removesuffix("_app") + "_owner"
    say(field.server, f'GRANT "{owner}" TO "{role}"')
    yield
    say(field.server, f'REVOKE "{owner}" FROM "{role}"')


# --- Who may -------------------------------------------------------------------------------------


@mutant("everybody may do everything", "all", "permissions")
def _(_field: Field) -> Any:
    return put(Identity, "can", lambda _who, _permission: True)


@mutant("one view has lost its guard", "all", "permissions")
def _(field: Field) -> Any:
    guarded: Any = field.app.view_functions["auth.change_settings"]

    def bare(**kwargs: Any) -> Any:
        return guarded.__wrapped__(**kwargs)

    bare.access = guarded.access  # type: ignore[attr-defined]
    return put(field.app.view_functions, "auth.change_settings", bare)


@mutant("whoever names a workspace is a member", "all", "doors")
def _(_field: Field) -> Any:
    find = identity.identity_of

    def trusting(row: Any) -> Identity:
        who = find(row)
        if row.role or not row.tenant_id:
            return who
        tenant = Tenant(row.tenant_id, row.slug, row.tenant_name)
        return replace(who, tenant=tenant, role="member")

    return put(identity, "identity_of", trusting)


@contextmanager
def asking(field: Field, kind: str, query: Any) -> Iterator[None]:
    """Identity is looked up by another query."""
    with (
        put(identity.QUERIES, kind, query),
        put(field.app.extensions, "identity_queries", {}),
    ):
        yield


BY_TOKEN = WHO.add_columns(ApiToken.id.label("token_id"), ApiToken.last_used_at)
THIS_TOKEN = ApiToken.token_hash == bindparam("token_hash")


@mutant("a token is good for every workspace of its person", "all", "doors")
def _(field: Field) -> Any:
    loose = BY_TOKEN.join(ApiToken, ApiToken.user_id == User.id)
    return asking(field, "token", loose.where(THIS_TOKEN, ApiToken.revoked_at.is_(None)))


@mutant("a revoked token goes on", "all", "doors")
def _(field: Field) -> Any:
    organisation = WHO.selected_columns.tenant_id
    tied = (ApiToken.user_id == User.id) & (ApiToken.tenant_id == organisation)
    return asking(field, "token", BY_TOKEN.join(ApiToken, tied).where(THIS_TOKEN))


@mutant("an ended session goes on", "all", "doors")
def _(field: Field) -> Any:
    loose = WHO.add_columns(null().label("token_id")).where(
        User.id == bindparam("user_id"), bindparam("stamp") != ""
    )
    return asking(field, "session", loose)


@mutant("the last owner may go", "all", "last owner")
def _(_field: Field) -> Any:
    return put(members, "make_sure_an_owner_stays", lambda _membership: None)


@mutant("forms need no token", "all", "other sites")
def _(_field: Field) -> Any:
    return put(csrf.csrf, "protect", lambda: None)


@mutant("the API takes a session without a token", "all", "other sites")
def _(_field: Field) -> Any:
    return put(csrf, "has_api_token", csrf.is_api)


# --- Which tenant --------------------------------------------------------------------------------


@mutant("a header names the tenant", "all", "headers")
def _(_field: Field) -> Any:
    return put(
        identity,
        "slug_in_url",
        lambda: request.headers.get("X-Tenant") or request.environ.get(SLUG),
    )


@mutant("a header names the address", "all", "headers")
def _(_field: Field) -> Any:
    split = TenantInUrl._from_path

    def by_header(middleware: Any, environ: dict[str, Any]) -> None:
        split(middleware, environ)
        named = environ.get("HTTP_X_ORIGINAL_URL", "")
        if named.startswith("/t/"):
            environ[SLUG] = named.split("/")[2]

    return put(TenantInUrl, "_from_path", by_header)


@mutant("an idempotency key is everybody's", "orm", "idempotency keys")
def _(_field: Field) -> Any:
    def by_key_alone(key: str) -> Any:
        anybodys = select(IdempotencyRow).where(IdempotencyRow.key == key)
        return db.session.scalars(anybodys).first()

    return put(idempotency, "find", by_key_alone)


@mutant("a page tells that an id is somebody's", "orm", "enumeration")
def _(_field: Field) -> Any:
    find = billing_views.get_or_404

    def telling(model: Any, row_id: UUID) -> Any:
        anybodys = select(model.id).where(model.id == row_id).execution_options(**ACROSS)
        if db.session.scalar(anybodys) is None:
            abort(404)
        try:
            return find(model, row_id)
        except Exception:
            abort(403)

    return put(billing_views, "get_or_404", telling)


@mutant("a page asks more about an id that is somebody's", "orm", "enumeration")
def _(_field: Field) -> Any:
    find = billing_views.get_or_404

    def slower(model: Any, row_id: UUID) -> Any:
        anybodys = select(model.id).where(model.id == row_id).execution_options(**ACROSS)
        if db.session.scalar(anybodys):
            db.session.scalar(anybodys)
        return find(model, row_id)

    return put(billing_views, "get_or_404", slower)


@mutant("a view takes every field that comes", "all", "mass assignment")
def _(field: Field) -> Any:
    @requires("workspace:write")
    def trusting() -> Any:
        row = Fact(name="said", facts="{}", at=now(), actor_id=UUID(request.form["actor_id"]))
        db.session.add(row)
        db.session.commit()
        return "", 204

    return put(field.app.view_functions, "auth.change_settings", trusting)


@mutant("a job trusts its arguments", "orm", "jobs with foreign ids")
def _(_field: Field) -> Any:
    def forget(fact_id: str) -> None:
        theirs = delete(Fact).where(Fact.id == UUID(fact_id)).execution_options(**ACROSS)
        db.session.execute(theirs)

    return put(KNOWN, "app.mutant.forget", forget)


@mutant("a listener trusts the facts to name the tenant", "all", "events with foreign ids")
def _(_field: Field) -> Any:
    def listen(told: Event) -> None:
        with serving(Tenant(UUID(told.facts["tenant"]), "", "")):
            db.session.add(Fact(name="said", facts="{}", at=now()))
            db.session.commit()

    listen.__module__ = "app.mutant"
    return put(LISTENERS, "mutant.told", [listen])


def sticky() -> Any:
    """`serving` that stays with whomever it served first."""
    first: list[Any] = []

    def serve(tenant: Any) -> Any:
        first.append(tenant)
        return serving(first[0])

    return serve


@mutant("a worker stays with its first job's tenant", "all", "jobs in turn")
def _(_field: Field) -> Any:
    return put(jobs, "serving", sticky())


@mutant("a consumer stays with its first event's tenant", "all", "events in turn")
def _(_field: Field) -> Any:
    return put(events, "serving", sticky())


@mutant("a message needs no signature", "all", "messages")
def _(_field: Field) -> Any:
    return put(Messages, "_unsign", lambda _self, data: data.rpartition(b":")[0])


# --- What is kept --------------------------------------------------------------------------------


@mutant("names of what is kept don't name the tenant", "all", "names of what is kept")
def _(_field: Field) -> Any:
    return put(context, "key", lambda *parts: ":".join(map(context.apart, parts)))


@mutant("parts of a name run together", "all", "names of what is kept")
def _(_field: Field) -> Any:
    return put(context, "apart", str)


@mutant("an identity is kept without its workspace", "all", "names of identities")
def _(_field: Field) -> Any:
    return put(identity_store, "key_of", lambda asked: f"identity:{asked.digest}")


@mutant("a session is kept like a token", "all", "names of identities")
def _(_field: Field) -> Any:
    plain = property(lambda asked: hashlib.sha256(asked.text.encode()).hexdigest())
    return put(Credential, "digest", plain)


@mutant("an identity token is good at every address", "all", "identity tokens")
def _(_field: Field) -> Any:
    issue, read = identity_token.issue, identity_token.read

    @contextmanager
    def loose() -> Iterator[None]:
        with (
            put(identity_token, "issue", lambda asked, *a: issue(asked._replace(slug="x"), *a)),
            put(identity_token, "read", lambda t, asked: read(t, asked._replace(slug="x"))),
        ):
            yield

    return loose()


@mutant("an identity token is good for every credential", "all", "identity tokens")
def _(_field: Field) -> Any:
    return put(Credential, "digest", property(lambda _asked: "the same"))


@mutant("caches may keep what somebody was shown", "all", "caches")
@contextmanager
def _(field: Field) -> Iterator[None]:
    def share(response: Response) -> Response:
        response.headers["Cache-Control"] = "public, max-age=60"
        return response

    with hooked(field, share):
        yield


@contextmanager
def hooked(field: Field, hook: Any) -> Iterator[None]:
    """One more look at each answer."""
    hooks = field.app.after_request_funcs[None]
    hooks.insert(0, hook)
    try:
        yield
    finally:
        hooks.remove(hook)


@mutant("log lines are put together by hand", "all", "log lines")
def _(_field: Field) -> Any:
    def by_hand(_logger: Any, _level: str, line: Any) -> str:
        return " ".join(f"{name}={value}" for name, value in line.items())

    return put(logs, "rendering", lambda _settings: [by_hand])


@mutant("the log holds what was sent", "all", "secrets in the log")
def _(field: Field) -> Any:
    def tell_all(response: Response) -> Response:
        structlog.get_logger().info("sent", headers=dict(request.headers), url=request.url)
        return response

    return hooked(field, tell_all)
