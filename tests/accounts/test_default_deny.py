"""Default deny over the whole URLconf: what is not on the short public list refuses a stranger."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.urls.resolvers import RoutePattern
from rest_framework.views import APIView

from accounts.permissions import is_public, scopes_of

# Reviewed: each is meant for people who have not signed in. A trailing `*` stands for the rest of the path.
PUBLIC = (
    # What the exchange is, sells and proves.
    "", "offers/*", "compare/", "verify/*", "status/", "health", "docs/*", "styleguide/", "favicon.ico", "robots.txt",
    # Choices of a visitor.
    "theme/", "language/", "sample/*", "switch/*", "i18n/*",
    # Becoming somebody.
    "accounts/login/*", "accounts/signup/*", "accounts/logout/", "accounts/inactive/", "accounts/confirm-email/*",
    "accounts/password/reset/*", "accounts/reauthenticate/", "admin/logout/",
    # The API's own description, and what the shelf shows.
    "api/schema/*", "api/docs/*", "api/v1/job_files/*",
    # Strangers read; who writes needs a scope and a role (tests/search/test_offers_api.py).
    "api/v1/offers", "api/v1/offers/<str:offer>",
    # The token in the path is the permission, checked by its own view.
    "files/*", "sandbox/*",
    # The signature of the body is the permission.
    "api/v1/payments/webhooks/<slug:gateway>",
    "static/*",
)  # fmt: skip
SAMPLES = {"int": "1", "slug": "x", "str": "x", "path": "x", "uuid": "0" * 8 + "-0000-0000-0000-" + "0" * 12}
SIGN_IN = ("/accounts/login/", "/admin/login/")


@dataclass(frozen=True)
class Endpoint:
    """One route with a path that reaches it."""

    route: str
    path: str
    view: Any


def example_of(pattern: Any) -> str:
    """A piece of path that `pattern` matches."""
    if isinstance(pattern, RoutePattern):
        return re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES[found[1] or "str"], str(pattern))
    text = re.sub(r"\(\?P<\w+>(?:\[[^\]]*\]|[^()\[\]])*\)", "x", str(pattern))
    return re.sub(r"\\(.)", r"\1", text.strip("^$"))


def endpoints(resolver: Any = None, route: str = "", path: str = "") -> Iterator[Endpoint]:
    """Every route of the product."""
    for entry in (resolver or get_resolver()).url_patterns:
        here, example = route + str(entry.pattern), path + example_of(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from endpoints(entry, here, example)
        elif isinstance(entry, URLPattern):
            yield Endpoint(here, example, entry.callback)


def is_listed(regex: str) -> bool:
    route = regex.replace("^", "")
    return any(route == name or (name.endswith("*") and route.startswith(name[:-1])) for name in PUBLIC)


def api_view_of(endpoint: Endpoint) -> type[APIView] | None:
    kind = getattr(endpoint.view, "cls", None)
    return kind if isinstance(kind, type) and issubclass(kind, APIView) else None


def refuses(answer: Any) -> bool:
    """To the sign-in page, or a problem that says so; 405 tells nothing about what lies behind."""
    if answer.status_code == 302:
        return answer["Location"].startswith(SIGN_IN)
    return answer.status_code in {401, 403, 405}


def test_every_route_can_be_tried():
    """No route escapes these tests because its path could not be guessed."""
    strange = [each.route for each in endpoints() if each.view is not resolve("/" + each.path).func]

    # The admin's last route catches what the others leave; each of them is tried by its own path.
    assert [route for route in strange if not route.startswith("admin/")] == []


@pytest.mark.django_db
def test_a_stranger_is_refused_everywhere_but_on_the_public_list(client: Client):
    client.raise_request_exception = False
    open_to_all = []
    for endpoint in endpoints():
        view = api_view_of(endpoint)
        if is_listed(endpoint.route) or (view is not None and is_public(view)):
            continue
        answers = [client.get("/" + endpoint.path), client.post("/" + endpoint.path)]
        if not all(map(refuses, answers)):
            open_to_all.append((endpoint.route, [answer.status_code for answer in answers]))

    assert open_to_all == []


@pytest.mark.django_db
def test_every_method_of_the_api_answers_a_stranger_401(client: Client):
    wrong = []
    for endpoint in endpoints():
        view = api_view_of(endpoint)
        if view is None or is_public(view) or is_listed(endpoint.route):
            continue
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(view, method):
                answer = getattr(client, method)("/" + endpoint.path)
                if (answer.status_code, answer["Content-Type"]) != (401, "application/problem+json"):
                    wrong.append((endpoint.route, method, answer.status_code))

    assert wrong == []


def test_every_view_of_the_api_names_its_scopes_or_says_that_it_is_public():
    forgetful = []
    for endpoint in endpoints():
        view = api_view_of(endpoint)
        if view is None or is_public(view) or is_listed(endpoint.route):
            continue
        try:
            scopes_of(view)
        except ImproperlyConfigured as error:
            forgetful.append((endpoint.route, str(error)))

    assert forgetful == []


def test_reading_is_the_only_thing_a_public_view_of_the_api_does():
    """A public API view answers GET; whatever else it takes is named here after review."""
    reviewed = {
        "api/v1/receipts/verify",  # it keeps nothing of the file (tests/energy/test_receipts_api.py)
        "api/v1/payments/webhooks/<slug:gateway>",  # it believes signatures alone
        # Questions too long for an address; they change nothing (tests/energy/test_emissions_api.py).
        "api/v1/energy/emissions/forecasts/batch",
        "api/v1/energy/emissions/average-carbon-intensity/batch",
    }

    writing = [
        each.route
        for each in endpoints()
        if (view := api_view_of(each)) is not None and is_public(view)
        if any(hasattr(view, method) for method in ("post", "put", "patch", "delete"))
    ]

    assert set(writing) <= reviewed
