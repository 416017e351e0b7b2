"""What a plan refuses, and who can do something about it."""

from flask_login import current_user

from app.errors import Refused


class UpgradeNeeded(Refused):
    """The tenant's plan says no; another one would say yes."""

    status = 402
    title = "Your plan doesn't include that"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        if may_change_plan():
            self.hint = "Another plan has room for it."
            self.link = ("Compare plans", "billing.compare")
        else:
            self.hint = "Ask an owner of this workspace to change the plan."


class LimitReached(UpgradeNeeded):
    """A limit of the plan is reached: `raise LimitReached("Your plan has room for 3 projects.")`"""

    title = "Your plan is full"


class NotInPlan(UpgradeNeeded):
    """The plan lacks an entitlement: `raise NotInPlan("Reports come with the Pro plan.")`"""


def may_change_plan() -> bool:
    """Whether whoever asks could change the plan; in the worker nobody asks."""
    can = getattr(current_user, "can", None)
    return bool(can and can("billing:write"))
