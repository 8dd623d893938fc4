"""What every test of the shelf stands on."""

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _own_counters(settings):
    """Rate limits of one test never reach another."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "search"}}
    cache.clear()
    yield
    cache.clear()
