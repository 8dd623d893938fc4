"""What a journal did to a wallet, in one plain sentence, with a link to what it was for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from frontend.components.formats import grouped
from marketplace.booking.models import ChargeLine, Contract, Reservation, ServiceCredit
from marketplace.ledger.models import Hold, Payment, Refund
from marketplace.ledger.movements import Movement
from scheduler.models import Attempt, Job

JOB, RESERVATION = "job_", "rsv_"


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence and, where there is one, the page of what it is about."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What money was for: a job or a reservation, by name and page."""

    kind: str
    name: str
    href: str


NOTHING = About("", "", "")


class Storyteller:
    """Tells movements; what they refer to is looked up for all at once, in as many queries for one as for many."""

    def __init__(self, movements: Iterable[Movement]) -> None:
        self._refs: dict[str, list[str]] = {}
        for each in movements:
            self._refs.setdefault(each.kind, []).append(each.ref)

    def told(self, movement: Movement) -> Told:
        """The sentence of one of the movements."""
        tell = {
            "hold": self._hold, "release": self._release, "capture": self._capture, "topup": self._topup,
            "refund": self._refund, "refund_failed": self._refund_failed, "sla_credit": self._credit,
            "goodwill": self._goodwill,
        }.get(movement.kind)  # fmt: skip
        return tell(movement.ref) if tell else Told(plain_words(movement.kind, movement.ref))

    def _hold(self, ref: str) -> Told:
        hold = self._holds.get(ref)
        if hold is not None and hold.purpose == "refund":
            return Told(_("Set aside to go back to the card"))
        about = self._about(hold.subject if hold else "")
        words = {"job": _("Held for job %(name)s"), "reservation": _("Held for the reservation of %(name)s")}
        return _tell(words, about, _("Held"))

    def _release(self, ref: str) -> Told:
        hold = self._holds.get(ref.rpartition(":")[0])
        if hold is not None and hold.purpose == "refund":
            return Told(_("Back in the wallet: the refund could not be made"))
        about = self._about(hold.subject if hold else "")
        words = {
            "job": _("Released from what was held for job %(name)s"),
            "reservation": _("Released from what was held for the reservation of %(name)s"),
        }
        return _tell(words, about, _("Released"))

    def _capture(self, ref: str) -> Told:
        contract, _meter, seq = ref.split(":") if ref.count(":") == 2 else (ref, "", "")
        line = self._lines.get((contract, seq))
        if line is None:
            return Told(_("Charged"))
        if line.idle:
            about = self._about(line.contract.subject)
            words = {"reservation": _("Charged for promised time of %(name)s that was left unused")}
            return _tell(words, about, _("Charged for promised time that was left unused"))
        seconds = {"seconds": grouped(line.quantity), "offer": line.contract.offer.title}
        used = _("Charged for %(seconds)s unit-seconds of %(offer)s") % seconds
        about = self._about(self._jobs_of_attempts.get(line.attempt, line.contract.subject))
        return Told(used, about.href)

    def _topup(self, ref: str) -> Told:
        payment = self._payments.get(ref)
        if payment is None:
            return Told(_("Paid in by card"))
        words = _("Paid in by the saved card") if payment.automatic else _("Paid in by card")
        return Told(words, reverse("topup", args=[payment.public_id]))

    def _refund(self, ref: str) -> Told:
        return Told(_("Sent back to the card that paid"), self._topup_of(ref))

    def _refund_failed(self, ref: str) -> Told:
        return Told(_("Came back: the card's bank did not take the refund"), self._topup_of(ref))

    def _topup_of(self, refund: str) -> str:
        row = self._refunds.get(refund)
        return reverse("topup", args=[row.payment.public_id]) if row else ""

    def _credit(self, ref: str) -> Told:
        row = self._credits.get(ref)
        if row is None:
            return Told(_("Service credit"))
        about = self._about(self._jobs_of_attempts.get(row.subject, row.subject))
        return Told(credit_words(row.kind, about.kind), about.href)

    def _goodwill(self, ref: str) -> Told:
        row = self._credits.get(ref)
        return Told(credit_words("goodwill", ""), self._about(row.subject).href if row else "")

    def _about(self, subject: str) -> About:
        return self._jobs.get(subject) or self._reservations.get(subject) or NOTHING

    def _of(self, *kinds: str) -> list[str]:
        return [ref for kind in kinds for ref in self._refs.get(kind, [])]

    @cached_property
    def _holds(self) -> dict[str, Hold]:
        refs = [*self._of("hold"), *(ref.rpartition(":")[0] for ref in self._of("release"))]
        return {str(row.public_id): row for row in Hold.objects.filter(public_id__in=refs)}

    @cached_property
    def _lines(self) -> dict[tuple[str, str], ChargeLine]:
        contracts = {ref.partition(":")[0] for ref in self._of("capture")}
        keys = list(Contract.objects.filter(public_id__in=contracts).values_list("pk", flat=True))
        rows = ChargeLine.objects.filter(contract__in=keys).select_related("contract__offer")
        return {(row.contract.public_id, str(row.seq)): row for row in rows}

    @cached_property
    def _payments(self) -> dict[str, Payment]:
        return {str(row.intent): row for row in Payment.objects.filter(intent__in=self._of("topup"))}

    @cached_property
    def _refunds(self) -> dict[str, Refund]:
        refs = self._of("refund", "refund_failed")
        rows = Refund.objects.filter(public_id__in=refs).select_related("payment")
        return {str(row.public_id): row for row in rows}

    @cached_property
    def _credits(self) -> dict[str, ServiceCredit]:
        rows = ServiceCredit.objects.filter(public_id__in=self._of("sla_credit", "goodwill"))
        return {str(row.public_id): row for row in rows}

    @cached_property
    def _jobs_of_attempts(self) -> dict[str, str]:
        """{attempt: its job}, by public ids."""
        attempts = {line.attempt for line in self._lines.values()} | {row.subject for row in self._credits.values()}
        return dict(Attempt.objects.filter(public_id__in=attempts).values_list("public_id", "job__public_id"))

    @cached_property
    def _subjects(self) -> set[str]:
        return {
            *(hold.subject for hold in self._holds.values()), *self._jobs_of_attempts.values(),
            *(line.contract.subject for line in self._lines.values()),
            *(row.subject for row in self._credits.values()),
        }  # fmt: skip

    @cached_property
    def _jobs(self) -> dict[str, About]:
        wanted = [each for each in self._subjects if each.startswith(JOB)]
        rows = Job.objects.filter(public_id__in=wanted).values_list("public_id", "name")
        return {key: About("job", name, reverse("job", args=[key])) for key, name in rows}

    @cached_property
    def _reservations(self) -> dict[str, About]:
        wanted = [each for each in self._subjects if each.startswith(RESERVATION)]
        rows = Reservation.objects.filter(public_id__in=wanted).values_list("public_id", "offer__title")
        return {key: About("reservation", title, reverse("reservation", args=[key])) for key, title in rows}


def _tell(words: dict[str, str], about: About, otherwise: str) -> Told:
    """The sentence for this kind of thing with its name."""
    text = words[about.kind] % {"name": about.name} if about.kind in words else otherwise
    return Told(text, about.href)


def credit_words(kind: str, subject: str) -> str:
    """Why a credit was given."""
    if kind == "interruption" and subject == "reservation":
        return _("Credit: the provider did not keep the reservation")
    told = {
        "interruption": _("Credit: the provider ended your job early"),
        "usage_dispute": _("Credit: your objection to a charge was upheld"),
        "green": _("Credit: less renewable power than promised"),
        "goodwill": _("Credit from the operator of this market"),
    }
    return told.get(kind, _("Service credit"))


def plain_words(kind: str, ref: str) -> str:
    """Kinds that need nothing looked up."""
    told = {
        "topup_offline": _("Paid in by the operator's bank, reference %(ref)s"),
        "freeze": _("Frozen: a card payment is disputed"),
        "unfreeze": _("Free again: the dispute was decided for you"),
        "dispute_lost": _("Taken: the disputed payment went back to the card"),
        "correction": _("Corrected by the operator"),
        "write_off": _("Written off by the operator"),
        "suspense": _("Booked by the operator, reference %(ref)s"),
    }
    return told[kind] % {"ref": ref} if kind in told else kind.replace("_", " ")


def told_rows(movements: Sequence[Movement]) -> list[dict[str, Any]]:
    """Movements as the page's table shows them."""
    teller = Storyteller(movements)
    return [{"movement": each, "told": teller.told(each)} for each in movements]
