"""The settings that the hardened stage adds to those of the services."""

from app.stages.services.settings import Settings as Services


class Settings(Services):
    """What the walls, the catalog and signing in need to know."""
