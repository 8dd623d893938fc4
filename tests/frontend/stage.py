"""People and a small market for the tests of pages; times are real, because pages read the clock."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

from django.test import Client

from accounts.models import Organization, Role
from accounts.services import add_member
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from scheduler.cycle import run_round
from scheduler.jobfile import parse
from scheduler.models import Job
from scheduler.services import Actor, submit_job
from tests.market import make_cpu, make_member, make_offer, make_organization, make_place, make_site
from tests.scheduler.scene import TestAgent, publish_hours

FILE = """\
name: hello
run: echo hello
config:
  joulemart:
    time_limit_s: 120
"""
HOUR = timedelta(hours=1)


def signed_in(organization: Organization, *roles: Role) -> Client:
    """A browser of a new member of `organization`."""
    client = Client()
    client.force_login(make_member(organization, *roles))
    return client


def at_the_desk(role: Role, organization: Organization | None = None) -> Client:
    """A browser at the desk, of a `person` with `role` in an organization that is no other's."""
    person = make_member(make_organization(funds=0))
    add_member(organization=organization or make_organization(funds=0), user=person, role=role, now=utc_now())
    client = Client()
    client.force_login(person)
    client.person = person  # type: ignore[attr-defined]
    return client


def shelf(
    *, units: int = 2, provider: Organization | None = None, latency_ms: int = 27, rate_mm: int = 4_000, **fields: Any
) -> Offer:
    """A live offer of processors near Berlin, with its hours, and an agent at work."""
    now = utc_now()
    provider = provider or make_organization("Nauen Compute")
    site = make_site(provider, name=f"Site of {provider.name}")
    offer = make_offer(site, hardware=make_cpu(), units=units, now=now, rate_mm=rate_mm, **fields)
    publish_hours(site.zone, hour_floor(now))
    make_place(**{site.public_id: latency_ms})
    TestAgent(offer, now=now)
    return offer


def submit(buyer: Organization, text: str = FILE) -> Job:
    """A job in the queue, as the services take it."""
    return submit_job(actor=Actor(organization=buyer), file=parse(text), now=utc_now())


def match() -> None:
    """One round over what waits."""
    run_round(segment="cpu", now=utc_now())


def text_of(answer: Any) -> str:
    """What a person reads of a page: no tags, one space between words."""
    html = answer.content.decode()
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def value_of(html: str, name: str) -> str:
    """The value of the first control or button called `name`."""
    tag = re.search(rf'<(?:input|button)[^>]*name="{name}"[^>]*>', html)
    assert tag is not None, f"no control {name}"
    value = re.search(r'value="([^"]*)"', tag[0])
    assert value is not None
    return unescape(value[1])
