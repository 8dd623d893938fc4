"""How organizations, members and keys come to be and end."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.keys import digest_of, make_key, parse_key
from accounts.models import ApiKey, Membership, Organization, Role, User
from accounts.scopes import AGENT, SCOPES
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.common.parsing import nearest

ADMIN_ROLES = (Role.OPERATOR, Role.AUDITOR)
TOUCH_EVERY = timedelta(minutes=1)
NAME_LENGTH = 120
KEY_NAME_LENGTH = 80


@transaction.atomic
def create_organization(
    *, name: str, now: datetime, country: str = "", currency: str = "", sample: bool = False
) -> Organization:
    """A new organization without members; raises ValidationFailed."""
    currency = currency or settings.CURRENCY
    problems = [*_name_problems("/name", name, NAME_LENGTH)]
    if country and not (len(country) == 2 and country.isascii() and country.isupper()):
        problems.append(FieldProblem("/country", "invalid", "not an ISO 3166 country code", "two capitals, such as CN"))
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        problems.append(FieldProblem("/currency", "invalid", "not an ISO 4217 currency code", settings.CURRENCY))
    _refuse(problems)
    return Organization.objects.create(
        name=name.strip(), country=country, currency=currency, sample=sample, created_at=now
    )


@transaction.atomic
def sign_up_organization(*, user: User, now: datetime, name: str = "") -> Organization:
    """The organization of a person who has just signed up: they buy for it; raises ValidationFailed."""
    organization = create_organization(name=name or user.get_short_name(), now=now)
    add_member(organization=organization, user=user, role=Role.BUYER, now=now)
    return organization


@transaction.atomic
def add_member(*, organization: Organization, user: User, role: Role | str, now: datetime) -> Membership:
    """Give `user` this role; giving it twice changes nothing. Operators and auditors may enter the admin.

    Raises ValidationFailed for an unknown role.
    """
    if role not in Role.values:
        _refuse([FieldProblem("/role", "invalid", f"there is no role {role}", ", ".join(Role.values))])
    member, _ = Membership.objects.get_or_create(
        organization=organization, user=user, role=role, defaults={"created_at": now}
    )
    if role in ADMIN_ROLES and not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    user.__dict__.pop("roles", None)  # what the person may do has changed
    return member


@transaction.atomic
def remove_member(*, member: Membership) -> None:
    """Take this role away; whoever is left without operator's or auditor's role leaves the admin too."""
    user = User.objects.select_for_update(of=("self",)).get(pk=member.user_id)
    member.delete()
    if user.is_staff and not user.is_superuser and not user.roles & set(ADMIN_ROLES):
        user.is_staff = False
        user.save(update_fields=["is_staff"])


@transaction.atomic
def issue_key(
    *,
    organization: Organization,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    created_by: User | None = None,
    site: str = "",
    live: bool = False,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which nobody can show again: only the hash of its secret is stored.

    `site` is the public id of the one site that a key with the scope `agent` works for. Raises ValidationFailed.
    """
    problems = [*_name_problems("/name", name, KEY_NAME_LENGTH), *_scope_problems(scopes)]
    if AGENT in scopes and not site:
        problems.append(FieldProblem("/site", "required", "an agent's key works for one site", "give the site's id"))
    if expires_at is not None and expires_at <= now:
        problems.append(FieldProblem("/expires_at", "in_the_past", "the key would have expired already"))
    _refuse(problems)
    public_id = new_id("key")
    text = make_key(public_id, live=live)
    key = ApiKey.objects.create(
        public_id=public_id, organization=organization, created_by=created_by, name=name.strip(), live=live, site=site,
        secret_sha256=digest_of(parse_key(text).secret), scopes=sorted(set(scopes)), created_at=now,
        expires_at=expires_at,
    )  # fmt: skip
    return key, text


@transaction.atomic
def revoke_key(*, key: ApiKey, now: datetime) -> ApiKey:
    """Refuse the key from the next request on; revoking twice keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    key.refresh_from_db(fields=["revoked_at"])
    return key


def touch_key(*, key: ApiKey, now: datetime) -> None:
    """Remember that the key was used, writing at most once a minute."""
    if key.last_used_at is None or key.last_used_at < now - TOUCH_EVERY:
        ApiKey.objects.filter(pk=key.pk).idle_since(now - TOUCH_EVERY).update(last_used_at=now)


def _name_problems(pointer: str, name: str, longest: int) -> list[FieldProblem]:
    if not name.strip():
        return [FieldProblem(pointer, "required", "a name is needed")]
    if len(name) > longest:
        return [FieldProblem(pointer, "max_length", f"at most {longest} characters, not {len(name)}")]
    return []


def _scope_problems(scopes: Sequence[str]) -> list[FieldProblem]:
    if not scopes:
        return [FieldProblem("/scopes", "required", "a key needs at least one scope", "offers:read")]
    return [
        FieldProblem(f"/scopes/{index}", "invalid", f"there is no scope {scope}", nearest(scope, sorted(SCOPES)))
        for index, scope in enumerate(scopes)
        if scope not in SCOPES
    ]


def _refuse(problems: list[FieldProblem]) -> None:
    if problems:
        raise ValidationFailed(problems)
