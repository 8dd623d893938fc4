"""What a cost export is made of, in two questions however many rows there are; rows come one by one."""

from collections.abc import Iterator, Sequence

from django.db.models import CharField, Exists, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from accounts.models import Organization
from marketplace.booking.focus import Charge, Credit
from marketplace.booking.models import ChargeLine, ServiceCredit, UsageRecord
from marketplace.common.months import Month
from marketplace.ledger.models import InvoiceLine
from scheduler.models import Allocation, Attempt

AT_ONCE = 2_000
INVOICE = Subquery(
    InvoiceLine.objects.order_by()
    .filter(source=OuterRef("public_id"), invoice__state="issued")
    .values("invoice__label")[:1]
)
JOB = Subquery(Attempt.objects.order_by().filter(public_id=OuterRef("attempt")).values("job__public_id")[:1])
JOB_OF_CONTRACT = Subquery(
    Allocation.objects.order_by().filter(public_id=OuterRef("contract__subject")).values("job__public_id")[:1]
)
SITE_WH = Subquery(
    UsageRecord.objects.order_by()
    .filter(contract=OuterRef("contract"), attempt=OuterRef("attempt"), during__overlap=OuterRef("during"), flagged="")
    .values("attempt")
    .annotate(sum=Sum("site_wh"))
    .values("sum")
)
OF_CHARGE = (
    "public_id", "order", "contract__subject", "contract__public_id", "meter", "idle", "start", "end", "quantity",
    "charge_minor", "tax_minor", "livemode", "month", "invoice", "contract__buyer__public_id", "contract__buyer__name",
    "contract__provider__name", "contract__currency", "contract__units", "contract__seconds", "contract__price_lines",
    "contract__offer__tier", "contract__offer__public_id", "contract__offer__hardware__accelerator",
    "contract__offer__hardware__slug", "contract__offer__site__name", "contract__offer__site__zone__code",
    "contract__offer__site__zone__name", "site_energy",
)  # fmt: skip
OF_CREDIT = (
    "public_id", "kind", "order", "contract__subject", "contract__public_id", "amount_minor", "tax_minor", "created_at",
    "livemode", "month", "billed", "invoice", "buyer__public_id", "buyer__name", "contract__provider__name", "asset",
    "contract__offer__hardware__accelerator",
)  # fmt: skip


def charges_of(buyers: Sequence[Organization], month: Month) -> QuerySet[ChargeLine]:
    """The buyers' charges billed in `month`, each with `order`, `start`, `end`, `invoice` and `month`."""
    rows = ChargeLine.objects.of_buyers(buyers).billed_in(month).with_month()
    return rows.annotate(
        order=Coalesce(JOB, JOB_OF_CONTRACT, "contract__subject", output_field=CharField()),
        start=F("during__startswith"), end=F("during__endswith"), invoice=INVOICE,
    )  # fmt: skip


def credits_of(buyers: Sequence[Organization], month: Month) -> QuerySet[ServiceCredit]:
    """The credits given to the buyers in `month`, each with `order`, `invoice`, `month` and `billed`."""
    billed = ChargeLine.objects.filter(contract=OuterRef("contract")).before(month)
    order = Coalesce(JOB_OF_CONTRACT, "contract__subject", Value(None), output_field=CharField())
    rows = ServiceCredit.objects.of_buyers(buyers).of_money().billed_in(month).with_month()
    return rows.annotate(order=order, billed=Exists(billed), invoice=INVOICE)


def focus_charges(buyers: Sequence[Organization], month: Month) -> Iterator[Charge]:
    """The rows of charges."""
    rows = charges_of(buyers, month).annotate(site_energy=SITE_WH).order_by("pk").values_list(*OF_CHARGE)
    return (Charge(*row) for row in rows.iterator(AT_ONCE))


def focus_credits(buyers: Sequence[Organization], month: Month) -> Iterator[Credit]:
    """The rows of credits."""
    rows = credits_of(buyers, month).order_by("pk").values_list(*OF_CREDIT)
    return (Credit(*row) for row in rows.iterator(AT_ONCE))
