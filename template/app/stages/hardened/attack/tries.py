"""What is tried on a running system. `ours` attacks; `theirs` says what there is to find."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.columns import new_id
from app.stages.hardened.attack.browser import Answer, Browser
from app.stages.hardened.attack.parties import Party
from app.stages.hardened.attack.record import Attack
from app.stages.hardened.attack.surface import Operation

UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
CHANGING = re.compile(r'[0-9a-f]{32}|name="csrf_token"[^>]*|\bnonce="[^"]*"')
MOST_IDS = 20
NAMING = (
    "X-Tenant",
    "X-Tenant-ID",
    "X-Amz-Tenant-Id",
    "X-Workspace",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Script-Name",
    "Script-Name",
    "SCRIPT_NAME",
    "Forwarded",
)
SHAPES = (
    "/t/{ours}/../{theirs}{rest}",
    "/t/{ours}/%2e%2e/{theirs}{rest}",
    "/t/{ours}/..%2f{theirs}{rest}",
    "/t/{ours}//t/{theirs}{rest}",
    "//t/{theirs}{rest}",
    "/t//{theirs}{rest}",
    "/t/./{theirs}{rest}",
    "/t/{theirs};{ours}{rest}",
    "/%74/{theirs}{rest}",
    "/t/{theirs}%20{rest}",
)


@dataclass
class Target:
    """A running system, with one party on each side of the wall."""

    ours: Party
    theirs: Party
    operations: list[Operation]
    pages: list[Operation]
    said: Callable[[str], None]
    # What each read of theirs answered before anything was tried.
    before: dict[str, int] = field(default_factory=dict)

    def ids(self) -> list[str]:
        return sorted(self.theirs.ids - self.ours.ids)[:MOST_IDS]

    def reads(self) -> list[Operation]:
        return [one for one in self.operations if one.method == "GET"]


def plant(target: Target) -> None:
    """Let both make one of everything that the API makes; remember the ids that each can see."""
    for party in (target.theirs, target.ours):
        for one in target.operations:
            if one.method == "POST" and not one.takes_an_id:
                body = with_text(one.body, party.marker)
                party.ids |= set(
                    UUID.findall(party.program.ask(party.at(one.path), "POST", json=body).text)
                )
        for one in (*target.reads(), *target.pages):
            if not one.takes_an_id:
                who = party.program if one.path.startswith("/api/") else party.browser
                answer = who.ask(party.at(one.path))
                party.ids |= set(UUID.findall(answer.text))
                if party is target.theirs:
                    target.before[one.path] = answer.status


def with_text(body: Any, text: str) -> Any:
    if isinstance(body, dict):
        return {name: with_text(part, text) for name, part in body.items()}
    return text if isinstance(body, str) else body


def shows(target: Target, answer: Answer) -> bool:
    return target.theirs.marker in answer.text or target.theirs.marker in str(answer.headers)


def ids_by_token(target: Target, record: Attack) -> None:
    """Every operation that takes an id, with each id of theirs: answered like one of nobody's."""
    for one in target.operations:
        if one.takes_an_id or one.query:
            compare(target, record, one, target.ours.program)


def ids_by_session(target: Target, record: Attack) -> None:
    """Every page that takes an id, with each id of theirs: answered like one of nobody's."""
    for one in target.pages:
        if one.takes_an_id:
            compare(target, record, one, target.ours.browser)


def compare(target: Target, record: Attack, one: Operation, who: Browser) -> None:
    nobodys = known(who.ask(target.ours.at(one.of(str(new_id()))), one.method, json=one.body))
    for an_id in target.ids():
        path = target.ours.at(one.of(an_id))
        answer = who.ask(path, one.method, json=one.body)
        shown = "shows theirs" if shows(target, answer) else ""
        told = f"answers {answer.status}, not {nobodys[0]}, or in other words"
        alike = known(answer) == nobodys or not one.takes_an_id
        record.judge(f"{one.method} {path} {shown or told}" if shown or not alike else "")


def known(answer: Answer) -> tuple[int, str]:
    """What somebody could tell from an answer, without what differs each time."""
    return answer.status, CHANGING.sub("", UUID.sub("", answer.text))


def lists(target: Target, record: Attack) -> None:
    """Every list, page and export of ours: nothing of theirs is in it."""
    for one in (*target.reads(), *target.pages):
        if not one.takes_an_id:
            who = target.ours.program if one.path.startswith("/api/") else target.ours.browser
            answer = who.ask(target.ours.at(one.path))
            record.judge(f"{one.path} shows theirs" if shows(target, answer) else "")


def their_address(target: Target, record: Attack) -> None:
    """Every operation and page at their address: our token, our session, nobody."""
    nobody = Browser(target.ours.browser.url)
    for one in (*target.operations, *target.pages):
        path = target.theirs.at(one.of(next(iter(target.ids()), str(new_id()))))
        for name, who in (
            ("our token", target.ours.program),
            ("our session", target.ours.browser),
            ("nobody", nobody),
        ):
            answer = who.ask(path, one.method, json=one.body)
            record.judge(
                f"{one.method} {path} as {name}: {answer.status}" if answer.status < 300 else ""
            )


def headers(target: Target, record: Attack) -> None:
    """Headers that name their workspace, at our address and outside of any."""
    theirs = target.theirs.slug
    for name in NAMING:
        for value in (
            theirs,
            f"/t/{theirs}",
            f"{theirs}.example.com",
            f"host={theirs}.example.com",
        ):
            for path in (target.ours.at("/api/v1/me"), "/api/v1/me", target.ours.at("/members")):
                who = target.ours.program if "api" in path else target.ours.browser
                answer = who.ask(path, headers={name: value})
                record.judge(
                    f"{name}: {value} at {path} shows theirs" if shows(target, answer) else ""
                )


def paths(target: Target, record: Attack) -> None:
    """Addresses that a gateway and an application might read in two ways."""
    slugs = {"ours": target.ours.slug, "theirs": target.theirs.slug}
    for shape in SHAPES:
        for rest in ("/members", "/api/v1/members", "/api/v1/me"):
            path = shape.format(rest=rest, **slugs)
            for who in (target.ours.program, target.ours.browser):
                answer = who.ask(path)
                seen = (
                    f"@{target.theirs.marker}" in answer.text
                    or f"{target.theirs.marker}@" in answer.text
                )
                record.judge(f"{path} shows their people" if seen else "")


FIELDS = ("tenant_id", "tenant", "workspace", "id", "created_by", "user_id", "role", "owner_id")


def mass_assignment(target: Target, record: Attack) -> None:
    """Every operation that makes something, with fields that nobody may set: theirs get nothing."""
    asked = target.theirs.program.ask(target.theirs.at("/api/v1/me")).json() or {}
    foreign = str(asked.get("id") or new_id())
    word = f"zqsmuggled{new_id().hex[:8]}"
    for one in target.operations:
        if one.method == "POST" and not one.takes_an_id:
            body = with_text(one.body, word) if isinstance(one.body, dict) else {}
            extras = {name: foreign for name in FIELDS if name not in body}
            answer = target.ours.program.ask(target.ours.at(one.path), "POST", json=body | extras)
            taken = foreign in answer.text
            record.judge(f"POST {one.path} takes a field that nobody may set" if taken else "")
    for one in target.reads():
        if not one.takes_an_id:
            answer = target.theirs.program.ask(target.theirs.at(one.path))
            record.judge(f"{one.path} of theirs holds ours" if word in answer.text else "")


def still_there(target: Target, record: Attack) -> None:
    """After all that, theirs is as it was."""
    for one in target.reads():
        if not one.takes_an_id and "/jobs" not in one.path:
            status = target.theirs.program.ask(target.theirs.at(one.path)).status
            before = target.before[one.path]
            told = f"{one.path} of theirs answers {status}, and answered {before} before"
            record.judge(told if status != before else "")


TRIES: dict[str, Callable[[Target, Attack], None]] = {
    "foreign ids, by token": ids_by_token,
    "foreign ids, by session": ids_by_session,
    "lists and exports": lists,
    "their address": their_address,
    "headers": headers,
    "paths": paths,
    "mass assignment": mass_assignment,
    "theirs afterwards": still_there,
}


def made(target: Target) -> Iterator[Attack]:
    """Each attack, when it's over."""
    for name, attempt in TRIES.items():
        target.said(name)
        record = Attack(name, (attempt.__doc__ or "").strip())
        attempt(target, record)
        yield record
