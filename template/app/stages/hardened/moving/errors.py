"""What stops a move, in words for people. Whatever it is, the tenant is served in one place."""

from app.errors import Refused


class CannotMove(Refused):
    """The move can't begin or go on; the message says why and what to do."""

    title = "This workspace can't be moved"


class NotTheSame(Refused):
    """Rows differ between the two databases after all was carried over."""

    title = "The copy isn't the same"


class StillBusy(Refused):
    """A transaction of the tenant's doesn't end, so nobody can be sure of its last write."""

    title = "The workspace doesn't come to rest"


class TooSlow(Refused):
    """The switch took longer than writers should wait; the tenant goes on where it was."""

    title = "The switch took too long"


class Undecided(Refused):
    """The database that may have taken over doesn't answer, so nobody may decide."""

    title = "Nobody knows who serves this workspace"
