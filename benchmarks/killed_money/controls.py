"""What keeps money from moving twice, taken away one at a time: then something must be off in the end."""

from typing import Any
from uuid import uuid4

REQUEST_KEY, GATEWAY_KEY, FENCE = "request-key", "gateway-key", "fence"
CONTROLS = (REQUEST_KEY, GATEWAY_KEY, FENCE)


def without_gateway_key() -> None:
    """Every call to the processor has a key of its own, also when it is made again."""
    from marketplace.ledger.gateways.stripe_gateway import Transport  # noqa: PLC0415

    asked = Transport.request

    def request(self: Any, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        return asked(self, method, url, {**(headers or {}), "Idempotency-Key": str(uuid4())}, post_data)

    Transport.request = request  # type: ignore[method-assign]


def without_fence() -> None:
    """The books no longer know a fact by its name: who tells it again has it written again."""
    from django.db import connection  # noqa: PLC0415

    from marketplace.ledger import services  # noqa: PLC0415

    named = "ON CONFLICT (book, kind, ref) DO NOTHING "
    if named not in services.WRITE:
        raise RuntimeError("the fence is not where it was")
    services.WRITE = services.WRITE.replace(named, "")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_journal DROP CONSTRAINT journal_once_per_fact")
