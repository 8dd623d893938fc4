"""The hours that are promised to a job for later pieces of its work."""

from django.db import models
from django.db.models import Q

from marketplace.booking.models import Contract
from marketplace.common.ids import PublicIdField
from scheduler.core.types import MOST_PIECES
from scheduler.models.jobs import Job
from scheduler.models.rounds import MatchRound
from scheduler.querysets import PieceQuerySet


class Piece(models.Model):
    """Hours in which a job goes on from its checkpoint, promised together with those of its first piece.

    Each has a contract of its own. When the piece before is over it begins: it becomes an allocation with the public id
    that was kept for it. Else its hours are given back.
    """

    public_id = PublicIdField("alc")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="pieces")
    contract = models.OneToOneField(Contract, on_delete=models.PROTECT, related_name="piece")
    round = models.ForeignKey(MatchRound, on_delete=models.PROTECT, related_name="pieces")
    number = models.PositiveSmallIntegerField()
    is_last = models.BooleanField()
    created_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)

    objects = PieceQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(number__range=(2, MOST_PIECES)), name="piece_is_a_later_one"),
            models.CheckConstraint(condition=Q(begun_at=None) | Q(released_at=None), name="piece_begins_or_goes_back"),
            models.UniqueConstraint(
                fields=["job", "number"],
                condition=Q(begun_at=None, released_at=None),
                name="piece_waits_once_per_number",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
