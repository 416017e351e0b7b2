"""Signing in: sessions that can be seen and ended one by one, and keys that open less,
a second factor, passkeys, and single sign-on."""

from importlib import import_module

from flask import Flask

from app import doors

# Each is a module here with an `init_app`; they begin in this order.
SUBJECTS = ("sessions", "rules", "keys", "second_factor", "passkeys", "sso")


def init_app(app: Flask) -> None:
    # Auth knows the people, so its process answers for this.
    doors.ADDED[__name__] = "auth"
    from app.stages.hardened.signin.blueprint import bp

    for subject in SUBJECTS:
        import_module(f"{__name__}.{subject}").init_app(app)
    app.register_blueprint(bp)
