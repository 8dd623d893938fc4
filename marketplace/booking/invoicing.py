"""Charges and credits are put on invoices: those of a month once it is closed, those of one order when it is asked for.

An invoice of an order takes its charges out of the month's: each is on one line only. Credits stand beside the charges
they are about; where these were invoiced before, or a bill would ask for less than nothing, they are a credit note.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import OuterRef, Subquery

from accounts.models import Organization
from marketplace.booking.invoiceitems import OF_CHARGE, OF_CREDIT, Charged, Credited, charge_item, credit_item
from marketplace.booking.models import ChargeLine, ServiceCredit
from marketplace.booking.querysets import ChargeLineQuerySet, ServiceCreditQuerySet
from marketplace.common.months import Month
from marketplace.ledger.errors import NothingToInvoice
from marketplace.ledger.invoices import Head, issue
from marketplace.ledger.models import Invoice, InvoiceLine
from marketplace.ledger.models.invoices import CREDIT_NOTES, ORDER

Orders = Callable[[Collection[str]], Mapping[str, str]]  # of contracts' subjects: the jobs, where these are allocations
SLOWEST = timedelta(hours=1)  # who wrote a charge for a month that is closed has committed by then
MONTH_OF_CHARGES = ("month", "contract__buyer", "contract__currency", "livemode")
MONTH_OF_CREDITS = ("month", "buyer", "asset", "livemode")


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """A month of a buyer with something on no invoice."""

    month: Month
    buyer: int
    asset: str
    livemode: bool


@dataclass(frozen=True, slots=True)
class Bundle:
    """What goes on one document."""

    charges: Sequence[Charged]
    credits: Sequence[Credited]
    corrects: int | None = None

    @property
    def total(self) -> int:
        charged = sum(each.charge_minor + each.tax_minor for each in self.charges)
        return charged - sum(each.amount_minor for each in self.credits)


def due(*, now: datetime, most: int) -> list[Due]:
    """Months that are closed and have something left to invoice, the oldest first; at most `most` of them."""
    still_open = Month.open_at(now - SLOWEST)
    charges = ChargeLine.objects.not_invoiced().before(still_open)
    credits_ = ServiceCredit.objects.of_money().not_invoiced().before(still_open)
    rows = [
        *charges.order_by().values_list(*MONTH_OF_CHARGES).distinct(),
        *credits_.order_by().values_list(*MONTH_OF_CREDITS).distinct(),
    ]
    found = {Due(Month.of(month), buyer, asset, livemode) for month, buyer, asset, livemode in rows}
    return sorted(found)[:most]


def issue_due(*, now: datetime, orders: Orders, most: int = 200) -> list[Invoice]:
    """Invoice what `due` finds, each month of a buyer in a transaction of its own; safe to run twice, also at once."""
    return [invoice for each in due(now=now, most=most) for invoice in issue_month(due=each, now=now, orders=orders)]


@transaction.atomic
def issue_month(*, due: Due, now: datetime, orders: Orders) -> list[Invoice]:
    """The invoice of a month and its credit notes; none while somebody else draws up bills of this buyer."""
    mine = Organization.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    buyer = mine.filter(pk=due.buyer).first()
    if buyer is None:
        return []
    charges = _charges(buyer).of_month(due.month).filter(contract__currency=due.asset, livemode=due.livemode)
    credits_ = _credits(buyer).of_month(due.month).filter(asset=due.asset, livemode=due.livemode)
    head = Head(buyer, due.asset, due.livemode, due.month.start, due.month.end)
    return _issue(head, _bundles(_read(charges), _read_credits(credits_)), now, orders)


@transaction.atomic
def issue_order(
    *, buyer: Organization, order: str, subjects: Collection[str], now: datetime, orders: Orders
) -> list[Invoice]:
    """The invoice of one job or reservation that has ended, with its credit notes.

    `subjects` are its contracts' subjects. Raises NothingToInvoice when nothing of it was charged, or all is on
    invoices already; then nothing is written.
    """
    Organization.objects.select_for_update(no_key=True, of=("self",)).get(pk=buyer.pk)
    charges = _read(_charges(buyer).filter(contract__subject__in=subjects))
    credits_ = _read_credits(_credits(buyer).filter(contract__subject__in=subjects))
    if not charges:
        raise NothingToInvoice(f"nothing that {order} was charged is left to invoice", order=order)
    kinds = {(each.currency, each.livemode) for each in charges}
    return [
        invoice
        for asset, livemode in sorted(kinds)
        for invoice in _order_of_one_kind(buyer, order, asset, livemode, charges, credits_, now, orders)
    ]


def _order_of_one_kind(
    buyer: Organization, order: str, asset: str, livemode: bool, charges: Iterable[Charged],
    credits_: Iterable[Credited], now: datetime, orders: Orders,
) -> list[Invoice]:  # fmt: skip
    used = [each for each in charges if (each.currency, each.livemode) == (asset, livemode)]
    given = [each for each in credits_ if (each.asset, each.livemode) == (asset, livemode)]
    start, end = min(each.during.lower for each in used), max(each.during.upper for each in used)
    return _issue(Head(buyer, asset, livemode, start, end, ORDER, order), _bundles(used, given), now, orders)


def _charges(buyer: Organization) -> ChargeLineQuerySet:
    return ChargeLine.objects.of_buyers([buyer]).not_invoiced().order_by("during", "pk")


def _credits(buyer: Organization) -> ServiceCreditQuerySet:
    return ServiceCredit.objects.of_buyers([buyer]).of_money().not_invoiced().order_by("pk")


def _read(rows: ChargeLineQuerySet) -> list[Charged]:
    return [Charged(*row) for row in rows.values_list(*OF_CHARGE)]


def _read_credits(rows: ServiceCreditQuerySet) -> list[Credited]:
    return [Credited(*row) for row in rows.values_list(*OF_CREDIT)]


def _bundles(charges: Sequence[Charged], credits_: Sequence[Credited]) -> list[Bundle]:
    """What goes on the bill, and on each credit note."""
    billed = _invoices_of({each.contract for each in credits_ if each.contract})
    later: dict[int, list[Credited]] = {}
    beside = []
    for each in credits_:
        if each.contract in billed:
            later.setdefault(billed[each.contract], []).append(each)
        else:
            beside.append(each)
    whole = Bundle(charges, beside)
    parts = [whole] if whole.total >= 0 else [Bundle(charges, ()), Bundle((), beside)]
    parts += [Bundle((), rows, invoice) for invoice, rows in sorted(later.items())]
    return [part for part in parts if part.charges or part.credits]


def _invoices_of(contracts: Collection[int]) -> dict[int, int]:
    """{contract: the latest invoice that one of its charges is on}."""
    on = InvoiceLine.objects.filter(source=OuterRef("public_id"), invoice__state="issued").values("invoice")
    rows = ChargeLine.objects.filter(contract__in=contracts).annotate(invoice=Subquery(on[:1]))
    found: dict[int, int] = {}
    for contract, invoice in rows.filter(invoice__isnull=False).values_list("contract", "invoice"):
        found[contract] = max(invoice, found.get(contract, 0))
    return found


def _issue(head: Head, bundles: Sequence[Bundle], now: datetime, orders: Orders) -> list[Invoice]:
    subjects = {each.contract_subject for part in bundles for each in part.charges}
    subjects |= {each.contract_subject for part in bundles for each in part.credits if each.contract_subject}
    names, invoices = orders(subjects), []
    for part in bundles:
        kind = head.kind if part.charges else CREDIT_NOTES
        items = [charge_item(each, names) for each in part.charges]
        items += [credit_item(each, names) for each in part.credits]
        invoices.append(issue(head=replace(head, kind=kind, corrects=part.corrects), items=items, now=now))
    return invoices
