"""Throttling: how much one workspace may ask of us, so that its neighbours don't notice.

Two limits stand before everything else that a request costs: a token bucket that all processes
share, and a share of this process's threads. Whoever goes on although refused is turned away at
the gateway for a few seconds (`edge`), where a refusal costs our processes nothing.
"""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.stages.hardened.throttle import command, layer, learning  # Settings need none of it.

    settings = app.config["SETTINGS"]
    app.cli.add_command(command.cli)
    if settings.app_env == "testing" and "throttle" not in settings.model_fields_set:
        return  # A team's tests ask as fast as they can.
    layer.init_app(app)
    learning.init_app(app)
    if not settings.in_production:
        from app.stages.hardened.throttle import development

        app.extensions["beside_gateway"].append(development.beside_the_gateway)
