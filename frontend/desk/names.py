"""What the desk calls each kind of row, in its reader's language.

The models themselves have no names to translate: what the API says of them is English whatever the reader speaks.
"""

from typing import Any

from django.apps import apps
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

NAMES = {
    "accounts.apikey": (_("API key"), _("API keys")),
    "accounts.organization": (_("organization"), _("organizations")),
    "accounts.user": (_("user"), _("users")),
    "booking.capacityday": (_("capacity day"), _("capacity days")),
    "booking.chargeline": (_("charge line"), _("charge lines")),
    "booking.contract": (_("contract"), _("contracts")),
    "booking.quote": (_("quote"), _("quotes")),
    "booking.reservation": (_("reservation"), _("reservations")),
    "booking.reservationchange": (_("reservation change"), _("reservation changes")),
    "booking.reservationday": (_("reservation day"), _("reservation days")),
    "booking.servicecredit": (_("service credit"), _("service credits")),
    "booking.settlement": (_("settlement"), _("settlements")),
    "booking.standinghour": (_("standing hour"), _("standing hours")),
    "booking.standingorder": (_("standing order"), _("standing orders")),
    "booking.usagedispute": (_("usage dispute"), _("usage disputes")),
    "booking.usagerecord": (_("usage record"), _("usage records")),
    "booking.wait": (_("place on the waiting list"), _("waiting list")),
    "catalog.hardwareclass": (_("hardware class"), _("hardware classes")),
    "catalog.latency": (_("latency"), _("latencies")),
    "catalog.offer": (_("offer"), _("offers")),
    "catalog.place": (_("place"), _("places")),
    "catalog.site": (_("site"), _("sites")),
    "energy.certificatelot": (_("certificate lot"), _("certificate lots")),
    "energy.certificatespan": (_("certificate span"), _("certificate spans")),
    "energy.energysource": (_("energy source"), _("energy sources")),
    "energy.forecastscore": (_("forecast score"), _("forecast scores")),
    "energy.generationhour": (_("generation hour"), _("generation hours")),
    "energy.greenpromise": (_("green promise"), _("green promises")),
    "energy.greenreceipt": (_("green receipt"), _("green receipts")),
    "energy.gridforecast": (_("grid forecast"), _("grid forecasts")),
    "energy.gridhour": (_("grid hour"), _("grid hours")),
    "energy.gridzone": (_("grid zone"), _("grid zones")),
    "energy.importfile": (_("import file"), _("import files")),
    "energy.issuance": (_("issuance"), _("issuances")),
    "energy.marginalhour": (_("marginal hour"), _("marginal hours")),
    "energy.matchline": (_("match line"), _("match lines")),
    "energy.meterpoint": (_("metering point"), _("metering points")),
    "energy.pointhour": (_("metered hour"), _("metered hours")),
    "energy.promisehour": (_("promise hour"), _("promise hours")),
    "energy.promisemiss": (_("promise miss"), _("promise misses")),
    "energy.receiptkey": (_("receipt key"), _("receipt keys")),
    "energy.receiptstep": (_("receipt step"), _("receipt steps")),
    "energy.sharehour": (_("share hour"), _("share hours")),
    "energy.signalfeed": (_("signal feed"), _("signal feeds")),
    "energy.sourceshare": (_("source share"), _("source shares")),
    "energy.storagedraw": (_("storage draw"), _("storage draws")),
    "energy.supplyentry": (_("supply entry"), _("supply entries")),
    "energy.usehour": (_("hour of use"), _("hours of use")),
    "events.event": (_("event"), _("events")),
    "ledger.account": (_("account"), _("accounts")),
    "ledger.autotopup": (_("automatic top-up"), _("automatic top-ups")),
    "ledger.carddispute": (_("card dispute"), _("card disputes")),
    "ledger.entry": (_("entry"), _("entries")),
    "ledger.gatewaycall": (_("gateway call"), _("gateway calls")),
    "ledger.hold": (_("hold"), pgettext_lazy("money", "holds")),
    "ledger.invoice": (_("invoice"), _("invoices")),
    "ledger.invoiceline": (_("invoice line"), _("invoice lines")),
    "ledger.invoiceseries": (_("invoice series"), _("invoice series")),
    "ledger.journal": (_("journal"), _("journals")),
    "ledger.journalrequest": (_("journal request"), _("journal requests")),
    "ledger.payee": (_("payee"), _("payees")),
    "ledger.payment": (_("payment"), _("payments")),
    "ledger.payout": (_("payout"), _("payouts")),
    "ledger.refund": (_("refund"), _("refunds")),
    "ledger.sandboxdelivery": (_("sandbox delivery"), _("sandbox deliveries")),
    "ledger.sandboxdispute": (_("sandbox dispute"), _("sandbox disputes")),
    "ledger.sandboxpayment": (_("sandbox payment"), _("sandbox payments")),
    "ledger.sandboxrefund": (_("sandbox refund"), _("sandbox refunds")),
    "ledger.webhookreceipt": (_("webhook receipt"), _("webhook receipts")),
    "scheduler.agent": (_("agent"), _("agents")),
    "scheduler.allocation": (_("allocation"), _("allocations")),
    "scheduler.attempt": (_("attempt"), _("attempts")),
    "scheduler.gang": (_("gang"), _("gangs")),
    "scheduler.job": (_("job"), _("jobs")),
    "scheduler.lease": (_("lease"), _("leases")),
    "scheduler.matchround": (_("match round"), _("match rounds")),
    "scheduler.segmentreference": (_("segment reference"), _("segment references")),
    "scheduler.segmentuse": (_("segment use"), _("segment uses")),
}


def name_models() -> None:
    """Give the models their names on the desk, once all are loaded; migrations know nothing of them."""
    for label, (one, many) in NAMES.items():
        options: Any = apps.get_model(label)._meta
        options.verbose_name, options.verbose_name_plural = one, many
