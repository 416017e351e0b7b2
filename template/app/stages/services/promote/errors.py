"""What stops a promote, in words for people."""


class Refused(Exception):
    """A promote can't go on; the message says why and what to do. Nothing is lost."""
