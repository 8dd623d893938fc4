"""Questions about green receipts."""

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from marketplace.energy.models import GreenReceipt  # noqa: F401


class GreenReceiptQuerySet(models.QuerySet["GreenReceipt"]):
    def of_subject(self, subject: str) -> Self:
        """All versions of a subject's receipt, the first one first."""
        return self.filter(subject=subject).order_by("version")
