"""Inviting people, and accepting an invitation."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user

from app.access import login_required, public, requires
from app.auth import invitations, sessions, throttles
from app.auth.forms import AcceptForm, InvitationForm, NewAccountForm
from app.auth.links import LinkDoesNotWork
from app.auth.models import Invitation, User
from app.auth.roles import roles
from app.auth.views import bp
from app.auth.views.account import me
from app.auth.views.members import page
from app.db import db
from app.tenancy import current_tenant, tenant_url


@bp.post("/members/invitations")
@requires("members:write")
@throttles.invitations_by_person
def invite():
    form = InvitationForm()
    if form.validate_on_submit():
        with form.attempt():
            invitations.invite(form.email.data, form.role.data, current_user.id)
            db.session.commit()
            flash(f"The invitation to {form.email.data} is on its way.", "success")
            return redirect(url_for("auth.members"))
    return page(form), 422


@bp.post("/members/invitations/<uuid:invitation_id>/letter")
@requires("members:write")
@throttles.invitations_by_person
def invite_again(invitation_id: UUID):
    invitation = invitations.find(invitation_id)
    choice = roles().choice_of(invitation)
    invitations.invite(invitation.email, choice, current_user.id)
    db.session.commit()
    flash(f"A new link to {invitation.email} is on its way. The old one is dead.", "success")
    return redirect(url_for("auth.members"))


@bp.post("/members/invitations/<uuid:invitation_id>/revocation")
@requires("members:write")
def revoke_invitation(invitation_id: UUID):
    invitations.revoke(invitations.find(invitation_id))
    db.session.commit()
    flash("The invitation is revoked.", "success")
    return redirect(url_for("auth.members"))


@bp.route("/invitation", methods=["GET", "POST"])
@public
@throttles.links_by_address
def invitation():
    """What an invitation's link opens: a button, or the form of a new account."""
    found = invitations.by_token(request.args.get("token", ""))
    if current_user.is_authenticated:
        return accept_as_oneself(found)
    user = User.with_email(found.email)
    if user and user.email_confirmed_at:
        return render_template("auth/invitation_known.html", invitation=found)
    return accept_as_new(found)


def accept_as_oneself(found: Invitation):
    user = me()
    form = AcceptForm()
    if form.validate_on_submit():
        return join(found, user)
    return render_template(
        "auth/invitation_mine.html",
        invitation=found,
        form=form,
        fits=user.email_norm == found.email_norm,
    )


def accept_as_new(found: Invitation):
    form = NewAccountForm(found.email)
    if form.validate_on_submit():
        user = invitations.accept_as_new(found, form.name.data, form.new_password.data)
        sessions.start(user)
        db.session.commit()
        flash(f"Welcome to {current_tenant().name}!", "success")
        return redirect(tenant_url(current_tenant().slug))
    return render_template("auth/invitation_new.html", invitation=found, form=form), (
        422 if form.errors else 200
    )


@bp.post("/workspaces/invitations/<uuid:invitation_id>/acceptance")
@login_required
def accept_invitation(invitation_id: UUID):
    """Accept an invitation from the list of one's workspaces; the address is confirmed already."""
    user = me()
    for found in invitations.to(user.email) if user.email_confirmed_at else []:
        if found.id == invitation_id:
            return join(found, user)
    raise LinkDoesNotWork("invitation")


def join(found: Invitation, user: User):
    invitations.accept(found, user)
    db.session.commit()
    flash(f"Welcome to {current_tenant().name}!", "success")
    return redirect(tenant_url(current_tenant().slug))
