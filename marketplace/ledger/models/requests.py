"""What operators book by hand, each asked for with its reason; what is large is approved by a second one."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.ledger.kinds import MANUAL, OF_WALLETS
from marketplace.ledger.models.books import Journal
from marketplace.ledger.querysets import JournalRequestQuerySet
from marketplace.ledger.states import JOURNAL_REQUEST


class JournalRequest(models.Model):
    """A journal that an operator wants in the books; `amount` is signed where the kind may go both ways."""

    public_id = PublicIdField("jrq")
    kind = models.CharField(max_length=30)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    amount = models.BigIntegerField()
    ref = models.CharField(max_length=120)
    reason = models.CharField(max_length=400)
    needs_second = models.BooleanField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    state = models.CharField(max_length=10, default="waiting")
    version = models.PositiveIntegerField(default=1)
    journal = models.OneToOneField(Journal, on_delete=models.PROTECT, null=True, related_name="request")
    request_key = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    objects = JournalRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            JOURNAL_REQUEST.constraint(),
            models.CheckConstraint(condition=Q(kind__in=MANUAL), name="journal_request_kind_manual"),
            models.CheckConstraint(condition=~Q(amount=0), name="journal_request_moves_something"),
            models.CheckConstraint(
                condition=~Q(kind__in=OF_WALLETS) | Q(organization__isnull=False),
                name="journal_request_knows_the_wallet",
            ),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(ref=""), name="journal_request_says_why"),
            models.CheckConstraint(
                condition=Q(state="booked", journal__isnull=False) | (~Q(state="booked") & Q(journal=None)),
                name="journal_request_booked_has_its_journal",
            ),
            models.CheckConstraint(
                condition=Q(needs_second=False)
                | ~Q(state="booked")
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("asked_by"))),
                name="journal_request_seen_by_two",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at=None) | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="journal_request_decided_has_its_time",
            ),
            models.UniqueConstraint(
                fields=["kind", "ref"], condition=Q(state="waiting"), name="journal_request_waits_once"
            ),
        ]
        triggers = [
            JOURNAL_REQUEST.trigger(),
            references.stays("journal_request_stays"),
            references.keeps(
                "journal_request_keeps_what_it_asks", "kind", "organization", "asset", "livemode", "amount", "ref",
                "reason", "needs_second", "asked_by", "request_key",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.public_id
