"""Files that were read: each taken as a whole, or refused with every fault named."""

from django.db import models
from django.db.models import Q

from accounts.models import Organization
from marketplace.energy.models.rules import append_only


class ImportState(models.TextChoices):
    """How an import ended."""

    IMPORTED = "imported"
    REFUSED = "refused"


class ImportFile(models.Model):
    """One file that was read: taken as a whole, or refused with every fault named.

    Files of the grid belong to no organization: operators import them. `scope` is what the file was read for: the zones
    it was limited to, sorted (empty: all), or the metering point that its certificates serve. `incomplete` counts hours
    that were left out since a part of them was missing.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="import_files")
    kind = models.CharField(max_length=24)
    sha256 = models.CharField(max_length=64)
    scope = models.CharField(max_length=400, blank=True)
    state = models.CharField(max_length=12, choices=ImportState.choices)
    rows = models.PositiveIntegerField()
    incomplete = models.PositiveIntegerField(default=0)
    faults = models.PositiveIntegerField(default=0)
    errors = models.JSONField(default=list)
    imported_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "sha256", "scope"], condition=Q(state="imported"), nulls_distinct=False,
                name="import_file_taken_once",
            ),
            models.CheckConstraint(condition=Q(state__in=ImportState.values), name="import_file_state_known"),
        ]  # fmt: skip
        triggers = [append_only("import_file_is_append_only")]

    def __str__(self) -> str:
        return f"{self.kind} {self.sha256[:12]} {self.state}"
