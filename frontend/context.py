"""What every page needs besides its own figures: theme, language, places to go, and the sample market's accounts."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import Membership, Organization, Role
from frontend.components.formats import money
from marketplace.ledger.kinds import WALLET
from marketplace.ledger.models import Account

THEMES = ("light", "dark")
SAMPLE_ROLES = (Role.BUYER, Role.PROVIDER, Role.OPERATOR)


@dataclass(frozen=True, slots=True)
class NavItem:
    """A place to go; `current` when the page lies in it."""

    name: str
    href: str
    icon: str
    current: bool


@dataclass(frozen=True, slots=True)
class SampleAccount:
    """One of the accounts of a sample market that the Sample bar switches to."""

    role: str
    name: str
    current: bool


class Page:
    """The frame of one page; everything that needs the database is asked for only when a template shows it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def path(self) -> str:
        """The path with its query, for forms that come back here."""
        return self._request.get_full_path()

    @property
    def theme(self) -> str:
        """light or dark as chosen; empty while the device decides."""
        chosen = self._request.COOKIES.get("theme", "")
        return chosen if chosen in THEMES else ""

    @property
    def language(self) -> str:
        """The language tag of the page: `en` or `zh-Hans`."""
        return "zh-Hans" if (get_language() or "en").startswith("zh") else "en"

    @property
    def stream_url(self) -> str:
        """Where event streams are served."""
        return str(settings.STREAM_URL)

    @cached_property
    def roles(self) -> frozenset[str]:
        """The roles of the person in the current organization."""
        user = self._request.user
        if not user.is_authenticated:
            return frozenset()
        mine = Membership.objects.of_user(user)
        organization = self.organization
        if organization is not None:
            mine = mine.in_organization(organization)
        return frozenset(mine.values_list("role", flat=True))

    @property
    def organization(self) -> Organization | None:
        """The organization the person acts for, as the accounts' middleware chose it."""
        return getattr(self._request, "organization", None)

    @property
    def sells(self) -> bool:
        """True for a provider's member."""
        return Role.PROVIDER in self.roles

    @property
    def operates(self) -> bool:
        """True for an operator's member."""
        return Role.OPERATOR in self.roles

    @cached_property
    def balance(self) -> str:
        """What the organization can spend; empty for who belongs to none."""
        mine = self.organization
        if mine is None:
            return ""
        purse = Account.objects.filter(
            kind=WALLET["available"], owner=mine, asset=mine.currency, livemode=settings.LIVEMODE
        )
        return money(purse.values_list("balance", flat=True).first() or 0, mine.currency)

    @cached_property
    def nav(self) -> list[NavItem]:
        """The main places."""
        items = [
            self._item(_("Supermarket"), "/", "shelf"),
            self._item(_("Jobs"), "/jobs/", "jobs"),
            self._item(_("Reservations"), "/reservations/", "calendar"),
        ]
        if self.sells:
            items.append(self._item(_("Console"), "/console/", "provider"))
        return [*items, NavItem(_("API"), "/api/docs/", "info", current=False)]

    @cached_property
    def mobile_nav(self) -> list[NavItem]:
        """The places at a thumb's reach: at most five."""
        fourth = (
            self._item(_("Console"), "/console/", "provider")
            if self.sells
            else NavItem(_("Submit"), "/jobs/new/", "plus", current=self._request.path == "/jobs/new/")
        )
        return [*(replace(each, current=each.current and not fourth.current) for each in self.nav[:3]), fourth]

    @cached_property
    def console_groups(self) -> list[tuple[str, list[NavItem]]]:
        """The provider console's places under their headings."""
        return [
            (
                _("Operate"),
                [
                    self._item(_("Overview"), "/console/", "shelf", exact=True),
                    self._item(_("Offers"), "/console/offers/", "provider"),
                    self._item(_("Reservations"), "/console/reservations/", "calendar"),
                    self._item(_("Jobs"), "/console/jobs/", "jobs"),
                ],
            ),
            (
                _("Prove"),
                [
                    self._item(_("Meters"), "/console/meters/", "meter"),
                    self._item(_("Certificates"), "/console/certificates/", "certificate"),
                ],
            ),
            (_("Get paid"), [self._item(_("Payouts"), "/console/payouts/", "wallet")]),
            (_("Connect"), [self._item(_("Agents"), "/console/agents/", "agent")]),
        ]

    @property
    def console_nav(self) -> list[NavItem]:
        """The same places in a row."""
        return [item for _heading, items in self.console_groups for item in items]

    @cached_property
    def sample(self) -> list[SampleAccount]:
        """The accounts of the Sample bar; empty on a real market."""
        names = {Role.BUYER: _("Buyer"), Role.PROVIDER: _("Provider"), Role.OPERATOR: _("Operator")}
        accounts = sample_accounts()
        email = getattr(self._request.user, "email", "") if accounts else ""
        return [
            SampleAccount(str(role), names[role], current=accounts[role]["email"] == email)
            for role in SAMPLE_ROLES
            if role in accounts
        ]

    def _item(self, name: str, href: str, icon: str, *, exact: bool = False) -> NavItem:
        here = self._request.path
        inside = here == href or (href != "/" and not exact and here.startswith(href))
        shop = href == "/" and here.startswith(("/offers/", "/compare/", "/checkout/"))
        return NavItem(name, href, icon, current=inside or shop)


def sample_accounts() -> dict[str, dict[str, Any]]:
    """The accounts of `sample.json` by role; empty where there is none or it is unreadable to this process."""
    path = settings.DATA_DIR / "sample.json"
    try:
        accounts: dict[str, dict[str, Any]] = json.loads(path.read_text())["accounts"]
    except (OSError, ValueError, KeyError):
        return {}
    return accounts


def page(request: HttpRequest) -> dict[str, Page]:
    """The context processor: templates read `ui`."""
    return {"ui": Page(request)}
