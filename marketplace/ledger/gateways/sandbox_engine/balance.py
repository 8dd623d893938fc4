"""The operator's balance at the sandbox: what was moved, and what it costs."""

from datetime import datetime

from django.db import connection
from django.db.models import Sum

from marketplace.common.currencies import exponent_of
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused
from marketplace.ledger.gateways.sandbox_models import SandboxMove

FEE_PER_MILLE, FIXED_FEE, DISPUTE_FEE = 29, 30, 1500  # the last two in hundredths of a currency's unit


def fee_of(amount: int, asset: str) -> int:
    """What a charge costs: 2.9 % and 0.30."""
    return (amount * FEE_PER_MILLE + 500) // 1000 + of_hundredths(FIXED_FEE, asset)


def of_hundredths(hundredths: int, asset: str) -> int:
    return hundredths * int(10 ** exponent_of(asset)) // 100


def move(*, kind: str, source: str, asset: str, amount: int, now: datetime, fee: int = 0) -> None:
    """Write what came in or, below 0, went out."""
    SandboxMove.objects.create(
        kind=kind, source=source, asset=asset, amount=amount, fee=fee, net=amount - fee, created_at=now
    )


def require(amount: int, asset: str) -> None:
    """Raises Refused when the balance is lower; until the end of the transaction nobody else takes from it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"sandbox balance {asset}"])
    there = SandboxMove.objects.filter(asset=asset).aggregate(sum=Sum("net"))["sum"] or 0
    if there < amount:
        raise Refused(f"The balance of {there} is lower than {amount}.", code="balance_insufficient")
