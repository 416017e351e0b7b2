"""What the pipelines call, so that it can be tried and tested where nobody has to push."""


class Refused(SystemExit):
    """The step isn't done; the message says why, and what to do."""
