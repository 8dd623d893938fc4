"""The sample accounts, and the file that tells scripts how to use them."""

import json
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import ApiKey, Membership, Organization, Role, User
from accounts.services import issue_key
from marketplace.catalog.models import Site
from marketplace.ledger.wallets import top_up_offline

BUYING = [
    "org:read",
    "offers:read",
    "energy:read",
    "jobs:read",
    "jobs:write",
    "reservations:read",
    "reservations:write",
    "receipts:read",
    "usage:read",
    "wallet:read",
    "wallet:write",
]
SELLING = [*BUYING, "offers:write", "energy:write"]
ACCOUNTS = {
    "buyer": ("Sample Buyer Lab", (Role.BUYER,), BUYING),
    "provider": ("This Machine Compute", (Role.PROVIDER, Role.BUYER), SELLING),
    "operator": ("Sample Exchange", (Role.OPERATOR, Role.BUYER, Role.PROVIDER), SELLING),
}
POCKET_MINOR = 2_000_000
AGENTS = ("agent-1", "agent-2")


@transaction.atomic
def load_accounts(*, now: datetime) -> dict[str, Organization]:
    """The three organizations with a member each."""
    organizations = {}
    for name, (title, roles, _) in ACCOUNTS.items():
        organization, _ = Organization.objects.get_or_create(
            name=title, sample=True, defaults={"country": "DE", "created_at": now, "currency": settings.CURRENCY}
        )
        user = User.objects.filter(email=email_of(name)).first()
        user = user or User.objects.create_user(
            email_of(name), is_staff=name == "operator", is_superuser=name == "operator"
        )
        for role in roles:
            Membership.objects.get_or_create(
                organization=organization, user=user, role=role, defaults={"created_at": now}
            )
        organizations[name] = organization
        _fund(organization, now)
    return organizations


def _fund(organization: Organization, now: datetime) -> None:
    """Test money to try the market with, once."""
    if not settings.LIVEMODE:
        top_up_offline(
            organization=organization, asset=organization.currency, livemode=False, amount=POCKET_MINOR,
            ref=f"sample {organization.public_id}", now=now, actor="sample",
        )  # fmt: skip


def email_of(name: str) -> str:
    """The address that signs in."""
    return f"{name}@sample.joulemart.example"


@transaction.atomic
def write_sample_file(*, path: Path, now: datetime) -> dict[str, Any]:
    """Fresh passwords and keys for the sample accounts and agents, in a file only its owner may read.

    A file that is there stays as it is, save for the address, which follows PORT.
    """
    address = {"url": settings.WEB_URL, "stream_url": settings.STREAM_URL}
    if path.exists():
        content: dict[str, Any] = json.loads(path.read_text()) | address
    else:
        content = address | {
            "accounts": {name: _credentials(name, now) for name in ACCOUNTS},
            "agents": _agent_keys(now),
        }
    path.touch(mode=0o600, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    path.chmod(0o600)
    return content


def _credentials(name: str, now: datetime) -> dict[str, str]:
    organization = Organization.objects.get(name=ACCOUNTS[name][0], sample=True)
    user = User.objects.get(email=email_of(name))
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    _, key = issue_key(organization=organization, created_by=user, name="sample", scopes=ACCOUNTS[name][2], now=now)
    return {"email": user.email, "password": password, "api_key": key, "organization": organization.public_id}


def _agent_keys(now: datetime) -> list[dict[str, str]]:
    site = Site.objects.get(this_machine=True, sample=True)
    ApiKey.objects.filter(site=site.public_id, revoked_at=None).update(revoked_at=now)
    keys = []
    for name in AGENTS:
        _, key = issue_key(
            organization=site.provider, created_by=None, name=name, scopes=["agent"], site=site.public_id, now=now
        )
        keys.append({"name": name, "key": key})
    return keys
