"""Questions about the shelf."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.db.models import Q

from accounts.models import Organization
from marketplace.common.querysets import PublicQuerySet

if TYPE_CHECKING:
    from marketplace.catalog.models import Offer, Site  # noqa: F401


class SiteQuerySet(PublicQuerySet["Site"]):
    def of_providers(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(provider__in=list(organizations))


class OfferQuerySet(PublicQuerySet["Offer"]):
    def live(self) -> Self:
        return self.filter(state="live")

    def of_providers(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(site__provider__in=list(organizations))

    def sharing_with(self, offer: "Offer") -> Self:
        """The offer on the same machines: its twin, or the interruptible one that names it as its twin."""
        return self.filter(Q(twin=offer.pk) | Q(pk=offer.twin_id))

    def with_shelf(self) -> Self:
        """With everything a row on the shelf shows, in one query."""
        return self.select_related("site__provider", "site__zone", "hardware", "twin")
