"""A small market for tests, made through the models and services the product uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.db import connection

from accounts.models import ApiKey, Membership, Organization, Role, User
from marketplace.booking.services import ensure_capacity
from marketplace.catalog.models import HOURS_OF_WEEK, HardwareClass, Latency, Offer, Place, Site
from marketplace.catalog.sites import add_site
from marketplace.energy.models import GridZone

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
NOON = MONDAY + timedelta(hours=12)
MUCH = 10**9
_number = count(1)


def at(day: datetime, hour: int, minute: int = 0) -> datetime:
    """`hour`:`minute` of `day`; hours past 23 run into the next days."""
    return day + timedelta(hours=hour, minutes=minute)


@contextmanager
def triggers_off() -> Iterator[None]:
    """No trigger fires within, as only a superuser can have it."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = origin")


def make_organization(name: str = "", *, funds: int = MUCH, **fields: Any) -> Organization:
    """An organization with `funds` minor units in its wallet."""
    organization = Organization.objects.create(
        name=name or f"Organization {next(_number)}", created_at=MONDAY, **{"country": "DE", **fields}
    )
    if funds:
        fund(organization, funds)
    return organization


def fund(organization: Organization, amount: int, *, asset: str = "", livemode: bool = False) -> None:
    """Put `amount` minor units into the organization's wallet."""
    from marketplace.ledger.wallets import top_up_offline

    top_up_offline(
        organization=organization, asset=asset or organization.currency, livemode=livemode, amount=amount,
        ref=f"bank {next(_number)}", now=MONDAY, actor="test",
    )  # fmt: skip


def make_member(organization: Organization, *roles: Role) -> User:
    user = User.objects.create_user(f"member{next(_number)}@example.com", "a long passphrase")
    for role in roles or (Role.BUYER,):
        Membership.objects.create(organization=organization, user=user, role=role, created_at=MONDAY)
    return user


def make_zone(code: str = "DE") -> GridZone:
    zone, _ = GridZone.objects.get_or_create(code=code, defaults={"name": code, "country": code[:2], "timezone": "UTC"})
    return zone


def make_hardware(slug: str = "h100-sxm", **fields: Any) -> HardwareClass:
    values = {
        "accelerator": "H100", "vendor": "NVIDIA", "family": "accelerator", "memory_gb": 80, "pf_milli": 989,
        "benchmark": "dense BF16", "vcpus": 26, "ram_gb": 256, "interconnect": "NVLink", "idle_w": 140, "max_w": 980,
    }  # fmt: skip
    hardware, _ = HardwareClass.objects.get_or_create(slug=slug, defaults=values | fields)
    return hardware


def make_cpu() -> HardwareClass:
    return make_hardware(
        "vcpu", accelerator="vCPU", vendor="any", family="cpu", memory_gb=0, pf_milli=1, benchmark="thread",
        vcpus=1, ram_gb=2, interconnect="", idle_w=2, max_w=7,
    )  # fmt: skip


def make_site(provider: Organization | None = None, **fields: Any) -> Site:
    values = {
        "name": f"Site {next(_number)}", "locality": "Nauen", "kind": "datacenter", "country": "DE",
        "region": "eu-central", "latitude": 52.6, "longitude": 12.9, "created_at": MONDAY,
    }  # fmt: skip
    return add_site(
        provider=provider or make_organization(), zone=fields.pop("zone", None) or make_zone(), **(values | fields)
    )


def make_offer(
    site: Site | None = None,
    *,
    units: int = 8,
    now: datetime = MONDAY,
    days: int = 16,
    rate_mm: int = 200_000,
    **fields: Any,
) -> Offer:
    """A live offer with capacity for `days` days from `now`."""
    hardware = fields.pop("hardware", None) or make_hardware()
    site = site or make_site()
    offer = Offer.objects.create(
        site=site, hardware=hardware, title=f"{site.name} {hardware.accelerator}", units=units,
        rate_mm=[rate_mm] * HOURS_OF_WEEK, state=fields.pop("state", "live"), created_at=now, **fields,
    )  # fmt: skip
    ensure_capacity(offer=offer, first=now.date(), days=days)
    return offer


def make_place(slug: str = "berlin", **latencies: int) -> Place:
    place, _ = Place.objects.get_or_create(
        slug=slug,
        defaults={"name": slug.title(), "name_zh": slug, "country": "DE", "latitude": 52.5, "longitude": 13.4},
    )
    for public_id, milliseconds in latencies.items():
        Latency.objects.create(place=place, site=Site.objects.get(public_id=public_id), p95_ms=milliseconds)
    return place


def key_of(organization: Organization, *scopes: str, site: str = "", now: datetime = MONDAY) -> tuple[ApiKey, str]:
    """(row, secret) of a fresh key."""
    from accounts.services import issue_key

    return issue_key(organization=organization, name="test", scopes=list(scopes), site=site, created_by=None, now=now)
