"""The application: one factory, read from top to bottom."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from flask.json.provider import JSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix

PRODUCT = Path(__file__).with_name("product.json")


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application. `config` holds settings that win over the environment, by name.

    Raises `BadSettings`, `UndeclaredAccess` or the like, with a message that says what to mend.
    """
    from app import (  # Importing the package must stay free of side effects.
        access,
        analytics,
        api,
        audit,
        auth,
        billing,
        commands,
        csrf,
        db,
        doors,
        encryption,
        errors,
        events,
        features,
        headers,
        health,
        idempotency,
        jobs,
        limits,
        logs,
        mail,
        openapi,
        pages,
        progress,
        queue,
        routes,
        settings,
        stage,
        tenancy,
        versions,
    )

    app = Flask(__name__, static_folder=None, instance_relative_config=True)
    app.json = JsonByOrjson(app)
    app.config["SETTINGS"] = given = settings.load(**(config or {}))
    app.config["PRODUCT"] = json.loads(PRODUCT.read_text("utf-8"))
    settings.apply(app, given)

    for shared in (doors, logs, headers, errors, csrf, db, tenancy, encryption):
        shared.init_app(app)
    for shared in (queue, jobs, events, mail):
        shared.init_app(app)
    for shared in (audit, limits, idempotency, versions, commands, health, pages):
        shared.init_app(app)
    for shared in (api, openapi, progress, routes):
        shared.init_app(app)
    for package in (auth, billing, analytics, features):
        package.init_app(app)
    stage.init_app(app)
    if not given.in_production:
        from app import dev  # Production doesn't even import it.

        dev.init_app(app)

    if given.trusted_proxies:
        hops = given.trusted_proxies
        # Outermost: the tenant's host is the one that the proxy was asked for.
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, hops)  # type: ignore[method-assign]

    access.refuse_undeclared(app)
    tenancy.refuse_unsafe()
    return app


class JsonByOrjson(JSONProvider):
    """JSON by orjson, which knows UUIDs and moments and takes a fifth of the time."""

    def dumps(self, obj: Any, **_: Any) -> str:
        import orjson

        return orjson.dumps(obj, option=orjson.OPT_UTC_Z).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        import orjson

        return orjson.loads(s)
