"""People, organizations and keys of these tests."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from accounts.models import ApiKey, Organization, Role, User
from accounts.services import add_member, create_organization, issue_key

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_counters(settings: Any) -> Any:
    """Rate limits of one test never reach another."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "accounts"}}
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Any) -> None:
    """Pages of the admin render without collected static files."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def make_member() -> Callable[..., tuple[Organization, User]]:
    """An organization and one person with the given roles in it."""

    def make(name: str, *roles: Role) -> tuple[Organization, User]:
        organization = create_organization(name=name, now=NOON)
        user = User.objects.create_user(f"{name.lower().replace(' ', '-')}@example.test", "a long password")
        for role in roles:
            add_member(organization=organization, user=user, role=role, now=NOON)
        return organization, user

    return make


@pytest.fixture
def buyer(db: None, make_member: Any) -> tuple[Organization, User]:
    made: tuple[Organization, User] = make_member("Buyer A", Role.BUYER)
    return made


@pytest.fixture
def other(db: None, make_member: Any) -> tuple[Organization, User]:
    made: tuple[Organization, User] = make_member("Buyer B", Role.BUYER)
    return made


@pytest.fixture
def make_key() -> Callable[..., tuple[ApiKey, APIClient]]:
    """A key of an organization and a client that sends it."""

    def make(organization: Organization, *scopes: str, **facts: Any) -> tuple[ApiKey, APIClient]:
        key, text = issue_key(organization=organization, name="test", scopes=scopes, now=NOON, **facts)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        return key, client

    return make
