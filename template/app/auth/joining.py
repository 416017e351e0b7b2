"""Joining a tenant: others may object before it happens, as billing does when a plan is full."""

from collections.abc import Callable

Objection = Callable[[int], None]
OBJECTIONS: list[Objection] = []


def before_joining(check: Objection) -> Objection:
    """Call the function below, in the tenant, before somebody is invited to it or joins.

    It's told how many people there would be, open invitations counted, and refuses by raising a
    `Refused`:

        @auth.before_joining
        def refuse_too_many(people: int) -> None: ...
    """
    if check not in OBJECTIONS:
        OBJECTIONS.append(check)
    return check


def make_sure_there_is_room(people: int) -> None:
    """Let everybody object who wants to."""
    for check in OBJECTIONS:
        check(people)
