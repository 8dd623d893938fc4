"""Questions about green receipts."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Exists, OuterRef, Q

from marketplace.common.querysets import PublicQuerySet

if TYPE_CHECKING:
    from accounts.models import Organization
    from marketplace.energy.models import GreenReceipt  # noqa: F401


class GreenReceiptQuerySet(PublicQuerySet["GreenReceipt"]):
    def of_subject(self, subject: str) -> Self:
        """All versions of a subject's receipt, the first one first."""
        return self.filter(subject=subject).order_by("version")

    def versions_of(self, public_id: str) -> Self:
        """All versions of one receipt, the first one first."""
        return self.filter(public_id=public_id).order_by("version")

    def last_of(self, subjects: Iterable[str]) -> Self:
        """The last version of each subject's receipt."""
        return self.filter(subject__in=list(subjects)).order_by("subject", "-version").distinct("subject")

    def newest(self) -> Self:
        """Of each receipt the version that no other follows; what ended last comes first."""
        following = self.model.objects.filter(prev_sha256=OuterRef("sha256"))
        return self.filter(~Exists(following)).order_by("-end", "-public_id")

    def bought_by(self, organizations: "Iterable[Organization]") -> Self:
        """Receipts of work that one of `organizations` bought."""
        return self.filter(buyer__in=list(organizations))

    def seen_by(self, organizations: "Iterable[Organization]") -> Self:
        """Receipts of work that one of `organizations` bought, or that was done at its sites."""
        mine = list(organizations)
        return self.filter(Q(buyer__in=mine) | Q(providers__overlap=[each.public_id for each in mine]))

    def touching(self, start: datetime, end: datetime) -> Self:
        """Receipts whose period has something of [start, end), or all of it where it is a moment."""
        return self.filter(Q(start__lt=end, end__gt=start) | Q(start__gte=start, start__lt=end))
