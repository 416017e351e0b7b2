"""The blueprint of the pages about signing in."""

from flask import Blueprint

from app.auth.views import leave_the_tenant

bp = Blueprint("signin", __name__, template_folder="templates")
# The account is the same in every tenant: it lives outside.
bp.before_request(leave_the_tenant)
