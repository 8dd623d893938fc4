"""Whoever looks at pages in most of their tests; a module that needs another buyer or browser says so itself."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from tests.frontend.stage import signed_in
from tests.ledger.cashier import Cashier
from tests.market import make_organization


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Pages name style sheets that nobody has collected."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def visitor():
    """A browser of nobody."""
    return Client()


@pytest.fixture
def buyer():
    return make_organization("Lab")


@pytest.fixture
def browser(buyer):
    """A browser of a member of `buyer`."""
    return signed_in(buyer, Role.BUYER)


@pytest.fixture
def cashier():
    return Cashier(timezone.now())
