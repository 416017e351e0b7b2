"""The walls of a silo: what is done in a pool once tables are migrated is done in a silo, too."""

from flask import Flask

from app.migrate import opening
from app.stages.hardened.silos.names import Silo


def build_walls(app: Flask, silo: Silo) -> None:
    """Do it as the silo's owner; to do it again changes nothing."""
    with app.app_context(), opening(silo.owner_url) as connection:
        for package in silo.packages:
            for finish in app.extensions["after_migrating"]:
                finish(package, connection)
