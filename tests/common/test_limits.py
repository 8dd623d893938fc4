"""Rate limits: counted in the cache, more strictly in the process when the cache is away."""

from datetime import UTC, datetime, timedelta

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from marketplace.common.addresses import client_address
from marketplace.common.errors import RateLimited
from marketplace.common.limits import count, spend, tell
from marketplace.common.middleware import RequestIdMiddleware

NOON = datetime(2026, 3, 2, 12, 0, 37, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _memory(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "limits"}}
    from django.core.cache import cache

    cache.clear()


def test_calls_are_counted_down_until_the_window_ends():
    standings = [count("read", "key_a", quota=2, now=NOON) for _ in range(3)]

    assert [(each.left, each.is_over, each.reset_s) for each in standings] == [
        (1, False, 23),
        (0, False, 23),
        (-1, True, 23),
    ]
    assert count("read", "key_a", quota=2, now=NOON + timedelta(seconds=23)).left == 1


def test_callers_and_kinds_are_counted_apart():
    count("read", "key_a", quota=2, now=NOON)

    assert count("read", "key_b", quota=2, now=NOON).left == 1
    assert count("write", "key_a", quota=2, now=NOON).left == 1


def test_a_rare_act_beyond_its_quota_says_when_to_come_back():
    for _ in range(3):
        spend("keys", "org_a", quota=3, now=NOON)

    with pytest.raises(RateLimited) as refusal:
        spend("keys", "org_a", quota=3, now=NOON)

    assert refusal.value.facts == {"quota": 3, "window_s": 86_400, "retry_after_s": 12 * 3600 - 37}


def test_without_the_cache_a_process_allows_a_quarter(settings, tmp_path):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"unix://{tmp_path}/nobody.sock",
        }
    }

    standings = [count("read", "key_alone", quota=8, now=NOON) for _ in range(3)]

    assert [(each.quota, each.left) for each in standings] == [(2, 1), (2, 0), (2, -1)]
    assert count("read", "key_alone", quota=8, now=NOON + timedelta(minutes=1)).left == 1


def test_an_answer_names_quota_and_rest():
    answer = HttpResponse()

    tell(answer, count("read", "key_a", quota=600, now=NOON))

    assert answer["RateLimit-Policy"] == '"read";q=600;w=60'
    assert answer["RateLimit"] == '"read";r=599;t=23'


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_3", True), ("", False), ("a b", False), ("x" * 65, False), ("ü", False)]
)
def test_a_request_id_is_taken_over_when_it_is_well_formed(given, kept):
    seen = []

    def view(request):
        seen.append(request.request_id)
        return HttpResponse()

    answer = RequestIdMiddleware(view)(RequestFactory().get("/", HTTP_REQUEST_ID=given))

    assert (answer["Request-Id"] == given) is kept
    assert seen == [answer["Request-Id"]]


def test_a_forwarded_address_is_believed_from_a_named_proxy_only(settings):
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 192.0.2.7")

    settings.TRUSTED_PROXIES = []
    untrusted = client_address(request)
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    trusted = client_address(request)

    assert (untrusted, trusted) == ("10.0.0.1", "192.0.2.7")
