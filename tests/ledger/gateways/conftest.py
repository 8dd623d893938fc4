"""Each test of the contract runs against each processor."""

import pytest

from marketplace.ledger.gateways import sandbox_models as models
from tests.ledger.gateways.scene import SECRET, sandbox_scene, stripe_scene

INSIDE_OUT = (  # what refers to others first
    models.SandboxDelivery, models.SandboxEvent, models.SandboxReversal, models.SandboxTransfer, models.SandboxPayee,
    models.SandboxDispute, models.SandboxRefund, models.SandboxSession, models.SandboxPayment, models.SandboxMethod,
    models.SandboxPayout, models.SandboxMove, models.SandboxRequest,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _secret(settings):
    settings.SANDBOX_WEBHOOK_SECRET = SECRET


@pytest.fixture
def committed(django_db_setup, django_db_blocker):
    """What the sandbox does is really committed, for other threads to see, and taken away afterwards.

    Emptying every table, as a transactional test does, takes a second; these tests fill only these.
    """
    with django_db_blocker.unblock():
        try:
            yield
        finally:
            for model in INSIDE_OUT:
                model.objects.all().delete()


@pytest.fixture(params=["sandbox", "stripe"])
def scene(request):
    if request.param == "sandbox":
        request.getfixturevalue("db")
        yield sandbox_scene()
    else:
        request.getfixturevalue("committed")
        with stripe_scene() as scene:
            yield scene


@pytest.fixture
def at_stripe(committed):
    with stripe_scene() as scene:
        yield scene
