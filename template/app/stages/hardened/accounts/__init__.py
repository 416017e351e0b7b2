"""A cloud account of a tenant's own: another AWS account, whose database we are let into.

`organization.ensure_account` makes the account; `driver` reaches the database in it. What lies in
the account is made by Terraform: infra/terraform/tenant.
"""

from flask import Flask

from app.stages.hardened.accounts.driver import AccountDriver
from app.stages.hardened.catalog.drivers import DRIVERS


def init_app(_app: Flask) -> None:
    DRIVERS["account"] = AccountDriver()
