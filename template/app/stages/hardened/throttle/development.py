"""What `flask dev` runs beside its gateway, so that it turns away as a real one does."""

import os

from app.dev.postgres import free_port
from app.dev.processes import flask
from app.stages.hardened.throttle import edge
from app.stages.services.dev_processes import Part
from app.stages.services.dev_system import RULES, Plan


def beside_the_gateway(plan: Plan) -> list[Part]:
    """The follower, and the rule that the gateway imports."""
    folder = plan.instance / "turned-away"
    rules = plan.instance / RULES
    rules.mkdir(parents=True, exist_ok=True)
    port = free_port()
    room = f"127.0.0.1:{port}"
    domain = plan.app.config["SETTINGS"].tenant_domain
    (rules / "turned-away.caddy").write_text(edge.rule(folder, room, domain), "utf-8")
    follow = flask("throttle", "follow", str(folder), "--waiting-room", room)
    env = {**os.environ, "REDIS_URL": plan.redis}
    return [Part("throttle", follow, env, port=port, reloads=False)]
