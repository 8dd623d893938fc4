"""Each test of the contract runs against each processor."""

import pytest

from tests.ledger.gateways.scene import SECRET, sandbox_scene


@pytest.fixture(params=["sandbox"])
def scene(request, settings, transactional_db):
    settings.SANDBOX_WEBHOOK_SECRET = SECRET
    yield sandbox_scene()
