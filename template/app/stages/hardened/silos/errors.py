"""What stops work on silos, in words for people."""

import click


class Refused(click.ClickException):
    """It can't be done; the message says why and what to do. Nothing is lost."""
