"""What each address of the door does."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.ledger.gateways import sandbox_models as models
from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine import checkout, connect, lookups, payments, refunds, shapes
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused, no_such
from marketplace.ledger.gateways.sandbox_engine.shapes import Shape, plain
from tests.fake_stripe.lists import created, page_of, refuse_unknown


@dataclass(frozen=True)
class Ask:
    """One request: the names in its path, and its parameters."""

    path: str
    names: dict[str, str]
    form: dict[str, Any]
    now: datetime
    dice: Dice

    def known(self, *names: str) -> "Ask":
        """Itself, when it has no other parameters than these."""
        refuse_unknown(self.form, {*names, "expand"})
        return self

    def needs(self, **values: Any) -> None:
        """Refused unless the parameters are these."""
        for name, value in values.items():
            if self.form.get(name) != value:
                raise Refused(f"{name} is {self.form.get(name)!r}, not {value!r}", code="parameter_invalid", kept=False)

    @property
    def amount(self) -> int:
        return int(self.form["amount"])

    @property
    def asset(self) -> str:
        currency = self.form["currency"]
        if not re.fullmatch("[a-z]{3}", currency):
            raise Refused(f"Invalid currency: {currency}", code="parameter_invalid", kept=False)
        return str(currency).upper()


ROUTES: list[tuple[str, re.Pattern[str], Callable[[Ask], Shape]]] = []


def route(method: str, path: str) -> Callable[[Callable[[Ask], Shape]], Callable[[Ask], Shape]]:
    """Register what answers an address; `{id}` in it is a name."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>\\w+)", path))

    def register(answer: Callable[[Ask], Shape]) -> Callable[[Ask], Shape]:
        ROUTES.append((method, pattern, answer))
        return answer

    return register


@route("POST", "/v1/checkout/sessions")
def create_session(ask: Ask) -> Shape:
    form = ask.known(
        "mode", "payment_method_types", "adaptive_pricing", "line_items", "client_reference_id", "metadata",
        "customer_creation", "payment_intent_data", "success_url", "cancel_url",
    ).form  # fmt: skip
    ask.needs(mode="payment", payment_method_types=["card"], adaptive_pricing={"enabled": "false"})
    [line] = form["line_items"]
    intent = form["payment_intent_data"]
    saves = intent.get("setup_future_usage") == "off_session"
    if intent["capture_method"] != "automatic" or (form["customer_creation"] == "always") is not saves:
        raise Refused("This session would not be paid at once, or would save nothing.", kept=False)
    wanted = checkout.Wanted(
        asset=line["price_data"]["currency"].upper(),
        amount=int(line["price_data"]["unit_amount"]) * int(line["quantity"]),
        reference=form["client_reference_id"], saves=saves, success_url=form["success_url"],
        cancel_url=form["cancel_url"],
    )  # fmt: skip
    return checkout.create_session(
        wanted=wanted, metadata=form["metadata"], payment_metadata=intent["metadata"], now=ask.now
    )


@route("GET", "/v1/checkout/sessions")
def list_sessions(ask: Ask) -> Shape:
    rows = created(lookups.rows_of(models.SandboxSession), ask.form)
    if intent := ask.form.get("payment_intent"):
        rows = rows.filter(payment__public_id=intent)
    return page_of(rows, shapes.session, ask.form, ask.path, filters={"created", "payment_intent"})


@route("POST", "/v1/payment_intents")
def create_intent(ask: Ask) -> Shape:
    form = ask.known(
        "amount", "currency", "customer", "payment_method", "off_session", "confirm", "capture_method", "metadata"
    ).form
    ask.needs(off_session="true", confirm="true", capture_method="automatic")
    method = lookups.thing(models.SandboxMethod, form["payment_method"])
    ask.needs(customer=method["customer"])
    return payments.charge_saved(
        asset=ask.asset, amount=ask.amount, method=method["id"], metadata=form["metadata"], now=ask.now, dice=ask.dice
    )


@route("GET", "/v1/payment_intents/search")
def search_intents(ask: Ask) -> Shape:
    wanted = re.fullmatch(r"metadata\['(\w+)'\]:'([\w-]+)'", ask.known("query", "limit").form["query"])
    if wanted is None:
        raise Refused("The query cannot be read.", code="parameter_invalid")
    rows = lookups.rows_of(models.SandboxPayment).filter(metadata__contains={wanted[1]: wanted[2]})
    limit = int(ask.form.get("limit", 10))
    data = [plain(shapes.payment(row)) for row in rows[:limit]]
    return {"object": "search_result", "url": ask.path, "has_more": False, "next_page": None, "data": data}


@route("POST", "/v1/refunds")
def create_refund(ask: Ask) -> Shape:
    form = ask.known("payment_intent", "amount", "metadata").form
    return refunds.create_refund(
        payment=form["payment_intent"], amount=ask.amount, metadata=form["metadata"], now=ask.now, dice=ask.dice
    )


@route("GET", "/v1/refunds")
def list_refunds(ask: Ask) -> Shape:
    rows = lookups.rows_of(models.SandboxRefund).filter(payment__public_id=ask.form["payment_intent"])
    return page_of(rows, shapes.refund, ask.form, ask.path, filters={"payment_intent"})


@route("POST", "/v1/accounts")
def create_account(ask: Ask) -> Shape:
    form = ask.known("country", "email", "capabilities", "controller", "metadata").form
    ask.needs(capabilities={"transfers": {"requested": "true"}})
    if set(form["controller"]) != {"fees", "losses", "stripe_dashboard", "requirement_collection"}:
        raise Refused("controller is not complete", code="parameter_missing", kept=False)
    return connect.create_payee(country=form["country"], email=form["email"], metadata=form["metadata"], now=ask.now)


@route("GET", "/v1/accounts")
def list_accounts(ask: Ask) -> Shape:
    return page_of(lookups.rows_of(models.SandboxPayee), shapes.payee, ask.form, ask.path, filters=set())


@route("POST", "/v1/account_links")
def create_link(ask: Ask) -> Shape:
    form = ask.known("account", "type", "return_url", "refresh_url").form
    ask.needs(type="account_onboarding")
    return connect.make_link(
        payee=form["account"], return_url=form["return_url"], refresh_url=form["refresh_url"], now=ask.now
    )


@route("POST", "/v1/transfers")
def create_transfer(ask: Ask) -> Shape:
    form = ask.known("destination", "currency", "transfer_group", "amount", "metadata").form
    return connect.create_transfer(
        payee=form["destination"], asset=ask.asset, amount=ask.amount, group=form["transfer_group"],
        metadata=form["metadata"], now=ask.now, dice=ask.dice,
    )  # fmt: skip


@route("GET", "/v1/transfers")
def list_transfers(ask: Ask) -> Shape:
    rows = lookups.rows_of(models.SandboxTransfer).filter(group=ask.form["transfer_group"])
    return page_of(rows, shapes.transfer, ask.form, ask.path, filters={"transfer_group"})


@route("POST", "/v1/transfers/{id}/reversals")
def create_reversal(ask: Ask) -> Shape:
    form = ask.known("amount", "metadata").form
    return connect.reverse_transfer(
        transfer=ask.names["id"], amount=ask.amount, metadata=form["metadata"], now=ask.now, dice=ask.dice
    )


@route("GET", "/v1/transfers/{id}/reversals")
def list_reversals(ask: Ask) -> Shape:
    rows = lookups.rows_of(models.SandboxReversal).filter(transfer__public_id=ask.names["id"])
    return page_of(rows, shapes.reversal, ask.form, ask.path, filters=set())


@route("GET", "/v1/balance_transactions")
def list_moves(ask: Ask) -> Shape:
    rows = created(lookups.rows_of(models.SandboxMove), ask.form)

    def shape(row: models.SandboxMove) -> Shape:
        paid = models.SandboxPayment.objects.filter(charge=row.source).first()
        return shapes.transaction(row, shapes.charge(paid) if paid else None)

    return page_of(rows, shape, ask.form, ask.path, filters={"created"})


@route("GET", "/v1/events")
def list_events(ask: Ask) -> Shape:
    """Without those of connected accounts: Stripe lists them there."""
    rows = created(lookups.rows_of(models.SandboxEvent).exclude(type="account.updated"), ask.form)
    return page_of(rows, shapes.event, ask.form, ask.path, filters={"created"})


def one(model: Any) -> Callable[[Ask], Shape]:
    """The thing that is named in the path."""
    return lambda ask: lookups.thing(model, ask.known().names["id"])


for kind, model in {
    "checkout/sessions": models.SandboxSession, "payment_intents": models.SandboxPayment,
    "payment_methods": models.SandboxMethod, "refunds": models.SandboxRefund, "accounts": models.SandboxPayee,
    "transfers": models.SandboxTransfer, "disputes": models.SandboxDispute, "payouts": models.SandboxPayout,
}.items():  # fmt: skip
    route("GET", f"/v1/{kind}/{{id}}")(one(model))


def found(method: str, path: str) -> tuple[Callable[[Ask], Shape], dict[str, str]]:
    """What answers an address, and the names in it. Raises Refused for an address that is none."""
    for wanted, pattern, answer in ROUTES:
        if wanted == method and (match := pattern.fullmatch(path)):
            return answer, match.groupdict()
    raise no_such("address", f"{method} {path}")
