"""Attacks by HTTP: every route as whoever isn't meant, with ids, fields and headers of others."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import delete, event, func, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.access import Access, access_of
from app.auth.models import Membership, User
from app.columns import new_id
from app.db import METADATA, db
from app.limits import limiter
from app.stages.hardened.attack.record import Attack
from tests.hardened.attack.attacks import attack
from tests.hardened.attack.field import MARKER, Field, give_token, table_of
from tests.hardened.attack.layers import put
from tests.isolation.requests import Document, Forms, build, forms_of
from tests.isolation.rows import ids_in
from tests.world import Company, Seat

WRITES = ("POST", "PUT", "PATCH", "DELETE")
REFUSED = {401, 404}


@dataclass(frozen=True)
class Stranger:
    """Somebody who isn't meant: how they come, at whose address, and what tells them nothing."""

    name: str
    slug: str
    session_id: str = ""
    token: str = ""
    refusals: frozenset[int] = frozenset({404})


def routes(field: Field, *, api_only: bool = False) -> Iterator[tuple[Rule, str, Access]]:
    """Each route that not everybody may call, with each of its methods."""
    for rule in field.app.url_map.iter_rules():
        access = access_of(field.app, rule.endpoint)
        if access.kind == "public" or (api_only and not rule.rule.startswith("/api/")):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method, access


def ask(
    field: Field,
    path: str,
    method: str = "GET",
    *,
    session_id: str = "",
    token: str = "",
    **how: Any,
) -> TestResponse:
    """A request of somebody whose browser remembers nothing."""
    client: FlaskClient = field.app.test_client(use_cookies=bool(session_id))
    if session_id:
        with client.session_transaction() as session:
            session["_user_id"] = session_id
    headers = dict(how.pop("headers", {}))
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return client.open(path, method=method, headers=headers, buffered=True, **how)


def session_of(field: Field, seat: Seat) -> str:
    """Their session as it is now, after whatever ended the one before."""
    with field.app.app_context():
        user = db.session.get_one(User, seat.user_id)
        return f"{user.id.hex}:{user.session_stamp}"


# --- Doors ---------------------------------------------------------------------------------------


@attack("doors")
def doors(field: Field, record: Attack) -> None:
    """Every route that isn't public, as everybody who isn't meant: they all are turned away."""
    for stranger in strangers(field):
        api = bool(stranger.token)
        for rule, method, _ in routes(field, api_only=api):
            path = f"/t/{stranger.slug}{build(rule, new_id())}"
            answer = ask(field, path, method, session_id=stranger.session_id, token=stranger.token)
            record.judge(
                ""
                if answer.status_code in stranger.refusals or asked_to_log_in(answer)
                else f"{method} {path} as {stranger.name}: {answer.status_code}"
            )


def strangers(field: Field) -> list[Stranger]:
    ours, theirs = field.ours.tenant.slug, field.theirs.tenant.slug
    removed = field.ours.join("gone@acme.test", "Gone")
    their_token, gone_token = give_token(field.theirs), give_token(removed)
    with field.looking() as connection:
        connection.execute(
            delete(table_of(Membership)).where(table_of(Membership).c.user_id == removed.user_id)
        )
        connection.commit()
    elsewhere = Company(field.app, field.theirs.tenant, field.both.user_id, "")
    old = session_of(field, field.member)
    renew_stamp(field, field.member)
    by_token = frozenset(REFUSED)
    return [
        Stranger("nobody", ours, refusals=frozenset({401})),
        Stranger("the owner of another workspace", ours, session_id=field.theirs.session_id),
        Stranger("somebody who was removed", ours, session_id=removed.session_id),
        Stranger("a session that was ended", ours, session_id=old, refusals=frozenset({401})),
        Stranger("a token of another workspace", ours, token=their_token, refusals=by_token),
        Stranger("a token of somebody removed", ours, token=gone_token, refusals=by_token),
        Stranger(
            "a token for another workspace of somebody in both",
            ours,
            token=give_token(elsewhere),
            refusals=by_token,
        ),
        Stranger("a revoked token", ours, token=revoked(field), refusals=by_token),
        Stranger("our owner at theirs", theirs, session_id=field.ours.session_id),
        Stranger("our token at theirs", theirs, token=give_token(field.ours), refusals=by_token),
    ]


def renew_stamp(field: Field, seat: Seat) -> None:
    with field.app.app_context():
        db.session.get_one(User, seat.user_id).end_sessions()
        db.session.commit()


def revoked(field: Field) -> str:
    from app.auth import tokens

    token = give_token(field.ours)
    with field.ours.serving():
        tokens.revoke_all_of(field.ours.user_id)
        db.session.commit()
    return token


def asked_to_log_in(answer: TestResponse) -> bool:
    """Whether it only leads out of any workspace: to the log-in, or to one's own account."""
    return answer.status_code in {302, 307} and not (answer.location or "").startswith("/t/")


@attack("permissions")
def permissions(field: Field, record: Attack) -> None:
    """Every route that requires a permission, as a member who lacks it, by session and token."""
    token = give_token(field.member)
    session_id = session_of(field, field.member)
    known = field.app.extensions["permissions"]
    for rule, method, access in routes(field):
        if access.kind != "permission" or known[access.permission].member:
            continue
        path = f"/t/{field.ours.tenant.slug}{build(rule, an_id_of_ours(field))}"
        ways = [{"session_id": session_id}]
        ways += [{"token": token}] if rule.rule.startswith("/api/") else []
        for way in ways:
            answer = ask(field, path, method, **way)
            record.judge(
                ""
                if answer.status_code in {401, 403, 404}
                else f"{method} {path} as a member: {answer.status_code}"
            )


def an_id_of_ours(field: Field) -> UUID:
    return field.ours.user_id


# --- Foreign ids ---------------------------------------------------------------------------------


@attack("foreign ids of somebody in both", layers=("all", "orm"))
def foreign_ids(field: Field, record: Attack) -> None:
    """At our addresses, as somebody who belongs to both workspaces: every read with every id of
    theirs, in the path, in the query and in lists. Who may see them there mustn't see them here."""
    document, ids = Document(field.app), ids_in(field.rows)
    session_id = session_of(field, field.both)
    for rule, method, _ in routes(field):
        if method != "GET":
            continue
        for an_id in ids if rule.arguments or document.takes_ids(rule, method) else ids[:1]:
            path = f"/t/{field.ours.tenant.slug}{build(rule, an_id)}"
            query = document.query(rule, method, an_id)
            answer = ask(field, path, session_id=session_id, query_string=query)
            record.judge(what_shows(answer, path))


# What stands in a row or belongs to one of their people. Their workspace's bare name stands on
# every page of whoever belongs to both.
THEIRS = re.compile(rf"{MARKER} \w+|{MARKER}@")


def what_shows(answer: TestResponse, path: str) -> str:
    if answer.status_code >= 500 and answer.status_code not in {501, 503}:
        return f"{path} breaks with {answer.status_code}"
    return f"{path} shows theirs" if THEIRS.search(answer.text) else ""


@attack("enumeration", layers=("all", "orm"))
def enumeration(field: Field, record: Attack) -> None:
    """Every route that takes an id: one of theirs and one that nobody has are answered alike, in
    status, body, headers, and in the statements that the database is asked."""
    session_id = session_of(field, field.ours)
    for rule, method, _ in routes(field):
        if not rule.arguments:
            continue
        nobodys = seen(field, rule, method, new_id(), session_id)
        for an_id in foreign_keys(field):
            theirs = seen(field, rule, method, an_id, session_id)
            record.judge(
                "" if theirs == nobodys else f"{method} {rule.rule}: {difference(theirs, nobodys)}"
            )


def foreign_keys(field: Field) -> list[UUID]:
    """One id of each table, and none that is ours, too."""
    shared = {field.both.user_id}
    return [an_id for an_id in ids_in(field.rows) if an_id not in shared]


def seen(field: Field, rule: Rule, method: str, an_id: UUID, session_id: str) -> tuple[Any, ...]:
    """What somebody can tell from an answer, and how much was done for it."""
    path = f"/t/{field.ours.tenant.slug}{build(rule, an_id)}"
    with put(limiter, "enabled", False), counted(field) as statements:
        answer = ask(field, path, method, session_id=session_id)
    hidden = re.compile(rf"{an_id}|{an_id.hex}|[0-9a-f]{{32}}|csrf_token\S* value=\"[^\"]*\"")
    headers = {
        name: hidden.sub("", value)
        for name, value in answer.headers
        if name not in {"X-Request-ID", "Set-Cookie", "Date"}
    }
    return answer.status_code, hidden.sub("", answer.text), headers, statements[0]


def difference(theirs: tuple[Any, ...], nobodys: tuple[Any, ...]) -> str:
    names = ("status", "body", "headers", "statements")
    pairs = zip(names, theirs, nobodys, strict=True)
    return ", ".join(
        f"{name} {str(a)[:60]} instead of {str(b)[:60]}" for name, a, b in pairs if a != b
    )


class counted:  # noqa: N801  # It reads as a verb.
    """How many statements the database is asked meanwhile, but for those of auth."""

    def __init__(self, field: Field) -> None:
        with field.app.app_context():
            pairs = field.app.extensions["engines_by_url"].values()
            self.engines = [engine for pair in pairs for engine in pair]
        self.count = [0]

    def __enter__(self) -> list[int]:
        for engine in self.engines:
            event.listen(engine, "before_cursor_execute", self.one_more)
        return self.count

    def __exit__(self, *_: object) -> None:
        for engine in self.engines:
            event.remove(engine, "before_cursor_execute", self.one_more)

    def one_more(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        # What says who asks and where a tenant is, is kept for a while, and asked now and then.
        self.count[0] += "auth_" not in statement


# --- Fields that nobody may set ------------------------------------------------------------------

CANARY = {
    "uuid": "0191aaaa-0000-7000-8000-00000000cafe",
    "text": "zqcanary",
    "number": 424_242,
}


@attack("mass assignment")
def mass_assignment(field: Field, record: Attack) -> None:
    """Every write, with every column of every model in its body, its form and its query: none of
    them arrives unless the route says that it takes it."""
    document = Document(field.app)
    forms = forms_of(field.ours, field.our_rows)
    with put(limiter, "enabled", False):
        for rule in field.app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) & set(WRITES)):
                record.judge(smuggled(field, document, forms, rule, method))


def smuggled(
    field: Field, document: Document, forms: dict[str, Any], rule: Rule, method: str
) -> str:
    session_id = session_of(field, field.ours)
    ours = an_id_of_ours(field)
    path = f"/t/{field.ours.tenant.slug}{build(rule, ours)}"
    if rule.rule.startswith("/api/"):
        body = document.body(rule, method, ours) or {}
        declared = set(body) if isinstance(body, dict) else set()
        how = {"json": extras(field, declared) | body} if isinstance(body, dict) else {"json": body}
    else:
        body = forms.get(rule.endpoint) or anonymous_form(field, rule)
        how = {"data": extras(field, set(body)) | body}
    ask(field, path, method, session_id=session_id, query_string=extras(field, set()), **how)
    if rule.endpoint.partition(".")[0] == "auth":  # Some of its forms are for strangers.
        ask(field, build(rule, ours), method, **how)
    return landed(field, f"{method} {rule.rule}")


def anonymous_form(field: Field, rule: Rule) -> dict[str, str]:
    if rule.arguments or "GET" not in (rule.methods or ()):
        return {}
    page = ask(field, rule.rule)
    found = Forms(page.text).found if page.mimetype == "text/html" else []
    return found[0][1] if found else {}


def extras(field: Field, declared: set[str]) -> dict[str, Any]:
    """Every column that any table has, with what we'd have there."""
    given: dict[str, Any] = {}
    for metadata in METADATA.values():
        for table in metadata.sorted_tables:
            for column in table.c:
                given[column.name] = wished(column)
    given |= {"tenant_id": str(field.theirs.tenant.id), "is_admin": 1, "grants": CANARY["text"]}
    return {name: value for name, value in given.items() if name not in declared}


def wished(column: Any) -> Any:
    kind = getattr(column.type, "impl", column.type).python_type
    if kind is UUID:
        return CANARY["uuid"]
    return CANARY["number"] if kind in {int, float} else CANARY["text"]


def landed(field: Field, route: str) -> str:
    """Whether something of it stands in some table."""
    if harm := field.harm():
        return f"{route} {harm}"
    words = {CANARY["text"], CANARY["uuid"], f"{CANARY['number']}"}
    words.add(str(CANARY["uuid"]).replace("-", ""))
    with field.app.app_context(), field.looking() as connection:
        for metadata in METADATA.values():
            for table in metadata.sorted_tables:
                text = str(connection.execute(table.select()).all())
                if found := [word for word in words if str(word) in text]:
                    connection.rollback()
                    return f"{route} puts {found[0]} into {table.name}"
    return ""


# --- Headers, hosts and paths --------------------------------------------------------------------

NAMING_THEIRS = (
    "X-Tenant",
    "X-Tenant-ID",
    "X-Tenant-Slug",
    "X-Amz-Tenant-Id",
    "X-Workspace",
    "X-Org-ID",
    "X-Forwarded-User",
    "X-Script-Name",
    "Script-Name",
    "SCRIPT_NAME",
    "X-Forwarded-Prefix",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Forwarded-Host",
    "X-Forwarded-Uri",
    "X-HTTP-Method-Override",
    "Forwarded",
    "Host",
    "X-Host",
    "X-Original-Host",
)


def namings(field: Field) -> Iterator[tuple[str, dict[str, str]]]:
    """Each header with each way to name their workspace."""
    slug, an_id = field.theirs.tenant.slug, str(field.theirs.tenant.id)
    for name in NAMING_THEIRS:
        values = [slug, an_id, f"/t/{slug}", f"{slug}.localhost", f"host={slug}.localhost"]
        for value in values:
            if name == "Host" and "/" in value:
                continue
            yield f"{name}: {value}", {name: value}


@attack("headers")
def headers(field: Field, record: Attack) -> None:
    """Headers that name another workspace, of somebody who belongs to both: the address decides."""
    session_id, token = session_of(field, field.both), give_token(field.both)
    here = f"/t/{field.ours.tenant.slug}"
    for said, sent in namings(field):
        for way in ({"session_id": session_id}, {"token": token}):
            me = ask(field, f"{here}/api/v1/me", headers=sent, **way)
            slug = (me.json or {}).get("workspace", {}).get("slug") if me.is_json else None
            moved = me.status_code == 200 and slug != field.ours.tenant.slug
            record.judge(f"{said} leads to {slug}" if moved else "")
        page = ask(field, f"{here}/members", headers=sent, session_id=session_id)
        record.judge(f"{said} shows their members" if THEIRS.search(page.text) else "")


PATHS = (
    "/t/{ours}/../{theirs}{rest}",
    "/t/{ours}/%2e%2e/{theirs}{rest}",
    "/t/{ours}/..%2f{theirs}{rest}",
    "/t/{ours}/..%5c{theirs}{rest}",
    "/t/{ours}//t/{theirs}{rest}",
    "/t/{ours}/t/{theirs}{rest}",
    "//t/{theirs}{rest}",
    "/t//{theirs}{rest}",
    "/t/./{theirs}{rest}",
    "/t/{theirs};{ours}{rest}",
    "/t/{theirs}%00{rest}",
    "/t/{theirs}%20{rest}",
    "/t/{theirs}?/t/{ours}{rest}",
    "/t/%2574{theirs}{rest}",
    "/%74/{theirs}{rest}",
    "/T/{theirs}{rest}",
    "/t/{shouted}{rest}",
    "/t/{theirs}.{rest}",
    "/t/{ours}@{theirs}{rest}",
)


@attack("paths")
def paths(field: Field, record: Attack) -> None:
    """Addresses that might be read in two ways, of somebody who belongs to ours only."""
    session_id, token = field.ours.session_id, give_token(field.ours)
    slugs = {"ours": field.ours.tenant.slug, "theirs": field.theirs.tenant.slug}
    slugs["shouted"] = slugs["theirs"].upper()
    for shape in PATHS:
        for rest in ("/members", "/api/v1/members", "/api/v1/me"):
            path = shape.format(rest=rest, **slugs)
            for way in ({"session_id": session_id}, {"token": token}):
                answer = ask(field, path, **way)
                record.judge(f"{path} shows theirs" if THEIRS.search(answer.text) else "")


# --- What is kept about requests -----------------------------------------------------------------


@attack("idempotency keys", layers=("all", "orm"))
def idempotency_keys(field: Field, record: Attack) -> None:
    """The same key and request in two workspaces: each is done, and answered as its own."""
    document = Document(field.app)
    for rule in field.app.url_map.iter_rules():
        view = field.app.view_functions[rule.endpoint]
        if not getattr(view, "is_idempotent", False) or rule.arguments:
            continue
        for method in sorted((rule.methods or set()) & set(WRITES)):
            key = {"Idempotency-Key": new_id().hex}
            body = document.body(rule, method, new_id())
            sent = {"json": body} if body is not None else {}
            answers = [
                seat.open(rule.rule, method=method, headers=key, **sent)
                for seat in (field.ours, field.theirs)
            ]
            replayed = "Idempotency-Replayed" in answers[1].headers
            record.judge(f"{rule.rule} answers theirs with ours" if replayed else "")


@attack("caches")
def caches(field: Field, record: Attack) -> None:
    """Every answer to somebody signed in says that no cache on its way may keep it for others."""
    for rule, method, _ in routes(field):
        if method != "GET" or rule.arguments:
            continue
        answer = field.ours.get(rule.rule)
        kept = answer.headers.get("Cache-Control", "")
        private = answer.status_code >= 400 or "no-store" in kept or "private" in kept
        record.judge("" if private or answer.status_code >= 300 else f"{rule.rule}: {kept!r}")


@attack("other sites")
def other_sites(field: Field, record: Attack) -> None:
    """Every write that a page of another site could make our owner's browser send."""
    session_id = session_of(field, field.ours)
    foreign = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}
    with put(field.app.config, "WTF_CSRF_ENABLED", True):
        for rule, method, _ in routes(field):
            if method not in WRITES:
                continue
            path = f"/t/{field.ours.tenant.slug}{build(rule, an_id_of_ours(field))}"
            answer = ask(field, path, method, session_id=session_id, headers=foreign, data={"a": 1})
            record.judge(
                "" if answer.status_code == 400 else f"{method} {path}: {answer.status_code}"
            )


@attack("last owner")
def last_owner(field: Field, record: Attack) -> None:
    """Every write about a person, by the only owner about themselves: one owner stays."""
    with put(limiter, "enabled", False):
        for rule, method, _ in routes(field):
            if method not in WRITES or "auth" not in rule.endpoint:
                continue
            path = f"/t/{field.ours.tenant.slug}{build(rule, field.ours.user_id)}"
            form = {"role": "member", "password": "correct horse battery"}
            ask(field, path, method, session_id=session_of(field, field.ours), data=form)
            record.judge("" if owners(field) else f"{method} {rule.rule} leaves no owner")


def owners(field: Field) -> int:
    table = table_of(Membership)
    mine = (table.c.tenant_id == field.ours.tenant.id) & (table.c.role == "owner")
    with field.looking() as connection:
        return connection.scalar(select(func.count()).select_from(table).where(mine)) or 0
