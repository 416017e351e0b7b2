"""What a rollout refuses, in words for people."""


class Refused(Exception):
    """It can't be done; the message says why and what to do. Nothing has changed."""


class SourceAway(Exception):
    """The figures that a decision needs can't be had."""
