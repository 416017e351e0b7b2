"""The pages of a workspace's rules, and of who doesn't keep them yet."""

from flask import abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from wtforms import BooleanField

from app.access import login_required, requires
from app.auth import sessions as signing
from app.auth.models import Membership, Organisation, User
from app.auth.views.account import me
from app.db import db
from app.forms import Form
from app.stages.hardened.signin import rules as kept
from app.stages.hardened.signin import second_factor, sessions
from app.stages.hardened.signin.blueprint import bp
from app.stages.hardened.signin.rules import Proof
from app.stages.hardened.signin.second_factor_views import WRONG, CodeForm, codes_by_person
from app.tenancy import current_tenant, tenant_url


class RulesForm(Form):
    strong_only = BooleanField("Ask everybody for a second factor")


@bp.get("/settings/sign-in")
@requires("workspace:write")
def rules():
    return page(RulesForm(data={"strong_only": kept.strong_only(current_tenant().id)}))


def page(form: RulesForm):
    return render_template("signin/rules.html", form=form)


@bp.post("/settings/sign-in")
@requires("workspace:write")
def change_rules():
    form = RulesForm()
    if form.validate_on_submit():
        with form.attempt():
            here = sessions.this_row()
            strong = here is not None and here.strong
            kept.change(strong_only=form.strong_only.data, strong=strong)
            db.session.commit()
            flash("The rules are saved.", "success")
            return redirect(url_for("signin.rules"))
    return page(form), 422


@bp.route("/login/needed", methods=["GET", "POST"])
@login_required
@codes_by_person
def needed():
    """What the session lacks for a workspace: a code makes it strong, where there's an app."""
    user, form = me(), CodeForm()
    slug = request.args.get("workspace", "")
    organisation = db.session.scalar(select(Organisation).where(Organisation.slug == slug))
    membership = membership_in(organisation, user)
    proof = sessions.proof_here()
    tenant_id = membership.tenant_id
    asked = kept.asked_by(tenant_id)
    lacks = kept.lack_of(proof, asked, tenant_id, owner=membership.role == "owner")
    on = second_factor.totp_of(user.id)
    # A session that a provider began isn't made another one by a code alone.
    if on and not proof.sso_tenant_id and form.validate_on_submit():
        if second_factor.use(user, form.code.data):
            sessions.proved_by(Proof(strong=True))
            signing.start(user)
            db.session.commit()
            return redirect(tenant_url(slug))
        form.code.errors = [WRONG]
    page = render_template("signin/needed.html", on=on, form=form, workspace=slug, lacks=lacks)
    return page, 422 if form.errors else 200


def membership_in(organisation: Organisation | None, user: User) -> Membership:
    """The person's membership there; 404 if there's none."""
    key = organisation.id if organisation else None, user.id
    return (organisation and db.session.get(Membership, key)) or abort(404)
