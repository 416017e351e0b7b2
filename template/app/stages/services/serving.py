"""What gunicorn does before its first worker starts."""

from app.stages.services.observe import processes


def prepare() -> None:
    """Let the workers' figures add up."""
    processes.share()
