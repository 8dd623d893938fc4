"""Integer double entry. The database keeps the books: what is written here cannot be unbalanced, changed or doubled."""

import pgtrigger
from django.db import models
from django.db.models import Q

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.ledger import rules
from marketplace.ledger.kinds import ASSETS, BOOKS, JOURNALS
from marketplace.ledger.querysets import AccountQuerySet, EntryQuerySet, JournalQuerySet


class Account(models.Model):
    """What one owner has, or the operator where there is none, of one asset and in one role."""

    public_id = PublicIdField("acc")
    kind = models.CharField(max_length=30)
    owner = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    normal = models.SmallIntegerField()
    kept = models.BooleanField()
    balance = models.BigIntegerField(default=0, editable=False)  # of a kept account, by the database

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "kind", "asset", "livemode"], name="account_once", nulls_distinct=False
            ),
            models.UniqueConstraint(fields=["id", "asset", "livemode"], name="account_of_its_asset"),
            models.CheckConstraint(condition=rules.as_its_kind(), name="account_is_as_its_kind"),
            models.CheckConstraint(condition=Q(asset__regex="|".join(ASSETS.values())), name="account_asset_known"),
            models.CheckConstraint(condition=Q(balance__gte=0), name="account_never_negative"),
            models.CheckConstraint(condition=Q(kept=True) | Q(balance=0), name="account_summed_has_no_balance"),
        ]
        triggers = [
            references.stays("account_stays"),
            pgtrigger.Protect(
                name="account_keeps_what_it_is", operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("kind", "owner", "asset", "livemode", "normal", "kept", "public_id"),
            ),
            rules.BEGINS_AT_NOTHING, rules.BALANCE_BY_ENTRIES, rules.no_truncate("account_is_not_emptied"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.asset}"


class Journal(models.Model):
    """One fact of the books: what `kind` of fact, and by which `ref` the world outside knows it."""

    public_id = PublicIdField("jrn")
    book = models.CharField(max_length=10)
    kind = models.CharField(max_length=30)
    ref = models.CharField(max_length=120)
    livemode = models.BooleanField()
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")
    posted_at = models.DateTimeField()
    actor = models.CharField(max_length=60)
    xid = models.BigIntegerField(editable=False, default=0)  # the transaction that wrote it, by the database

    objects = JournalQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["book", "kind", "ref"], name="journal_once_per_fact"),
            models.UniqueConstraint(fields=["id", "livemode"], name="journal_of_its_mode"),
            models.CheckConstraint(condition=Q(book__in=BOOKS), name="journal_book_known"),
            models.CheckConstraint(condition=Q(kind__in=JOURNALS), name="journal_kind_known"),
            models.CheckConstraint(condition=~Q(ref=""), name="journal_has_a_reference"),
        ]
        triggers = [
            pgtrigger.Protect(name="journal_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            rules.no_truncate("journal_is_not_emptied"), rules.WRITTEN_BY, rules.balanced("journal_balances", "id"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class Entry(models.Model):
    """What a journal moves on one account: debits are positive."""

    journal = models.ForeignKey(Journal, on_delete=models.PROTECT, related_name="entries", db_constraint=False)
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="entries", db_index=False, db_constraint=False
    )
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    amount = models.BigIntegerField()

    objects = EntryQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["account", "journal"], name="entry_once_per_account"),
            models.CheckConstraint(condition=~Q(amount=0), name="entry_moves_something"),
        ]
        indexes = [models.Index(fields=["account", "id"], name="entry_by_account")]
        triggers = [
            pgtrigger.Protect(name="entry_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            rules.no_truncate("entry_is_not_emptied"), rules.WHILE_OPEN, rules.MOVES_BALANCE,
            rules.balanced("entries_balance", "journal_id"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.journal_id} {self.amount} {self.asset}"
