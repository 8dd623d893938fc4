"""Files that were read: each taken as a whole, or refused with every fault named."""

from django.db import models
from django.db.models import Q

from marketplace.energy.models.rules import append_only


class ImportState(models.TextChoices):
    """How an import ended."""

    IMPORTED = "imported"
    REFUSED = "refused"


class ImportFile(models.Model):
    """One file that was read: taken as a whole, or refused with every fault named."""

    kind = models.CharField(max_length=24)
    sha256 = models.CharField(max_length=64)
    scope = models.CharField(max_length=400, blank=True)  # the zones it was limited to, sorted; empty: all
    state = models.CharField(max_length=12, choices=ImportState.choices)
    rows = models.PositiveIntegerField()
    faults = models.PositiveIntegerField(default=0)
    errors = models.JSONField(default=list)
    imported_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "sha256", "scope"], condition=Q(state="imported"), name="import_file_taken_once"
            ),
            models.CheckConstraint(condition=Q(state__in=ImportState.values), name="import_file_state_known"),
        ]
        triggers = [append_only("import_file_is_append_only")]

    def __str__(self) -> str:
        return f"{self.kind} {self.sha256[:12]} {self.state}"
