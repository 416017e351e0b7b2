"""Billing owns plans, subscriptions, entitlements, metering and invoices."""

from flask import Flask


def init_app(app: Flask) -> None:
    pass
