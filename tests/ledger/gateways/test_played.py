"""What operators let happen at the sandbox from their desk."""

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.services import add_member
from marketplace.ledger.gateways.sandbox_models import SandboxDispute, SandboxPayment, SandboxRefund
from tests.ledger.gateways.scene import a_key, sandbox_scene
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _plain_pages(settings):
    """No second factor, no collected static files."""
    settings.REQUIRE_OPERATOR_MFA = False
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def scene():
    return sandbox_scene()


def act(action, model, role=Role.OPERATOR):
    """Do the action on the first row of the model, signed in as somebody with this role; what the page says."""
    client = Client()
    user = User.objects.create_user(f"{a_key()}@example.test", "a long password")
    add_member(organization=make_organization(), user=user, role=role, now=NOON)
    client.force_login(user)
    order = {"action": action, "_selected_action": [model.objects.get().pk]}
    page = f"/admin/ledger/{model._meta.model_name}/"
    return client.post(page, order, follow=True).content.decode()


def test_a_payment_is_asked_about_disputed_and_decided(scene):
    paid = scene.paid()
    act("inquire", SandboxPayment)
    name = SandboxDispute.objects.get().public_id
    states = [scene.gateway.fetch_dispute(name).state]
    for action in ("escalate", "win"):
        act(action, SandboxDispute)
        states.append(scene.gateway.fetch_dispute(name).state)

    assert states == ["inquiry", "open", "won"]
    assert scene.gateway.fetch_dispute(name).intent == paid.intent


def test_a_dispute_is_lost_once_and_what_is_refused_is_said(scene):
    scene.paid()
    act("dispute", SandboxPayment)
    act("lose", SandboxDispute)
    row = SandboxDispute.objects.get()
    said = act("win", SandboxDispute)
    again = act("dispute", SandboxPayment)

    assert f"{row.public_id}: The dispute is lost." in said
    assert "was disputed before" in again
    assert SandboxDispute.objects.get().status == "lost"


def test_a_refund_comes_back_from_the_bank(scene):
    paid = scene.paid()
    refund = scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=100)
    act("send_back", SandboxRefund)

    assert scene.gateway.fetch_refund(refund.id).state == "failed"


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.BUYER])
def test_nobody_else_lets_anything_happen(scene, role):
    scene.paid()
    act("dispute", SandboxPayment, role)

    assert SandboxDispute.objects.count() == 0
