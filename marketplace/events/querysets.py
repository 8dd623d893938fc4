"""Questions about the journal."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Q

from accounts.models import Organization
from marketplace.common.querysets import PublicQuerySet

if TYPE_CHECKING:
    from marketplace.events.models import Event, InvariantRun  # noqa: F401


class EventQuerySet(PublicQuerySet["Event"]):
    def of_object(self, public_id: str) -> Self:
        return self.filter(object_id=public_id)

    def seen_by(self, organizations: Iterable[Organization]) -> Self:
        mine = list(organizations)
        return self.filter(Q(buyer__in=mine) | Q(provider__in=mine))

    def of_types(self, types: Iterable[str]) -> Self:
        return self.filter(type__in=list(types))

    def after(self, key: int) -> Self:
        return self.filter(pk__gt=key)


class InvariantRunQuerySet(PublicQuerySet["InvariantRun"]):
    def newest(self) -> "InvariantRun | None":
        return self.order_by("-pk").first()

    def older_than(self, moment: datetime) -> Self:
        return self.filter(finished_at__lt=moment)
