"""Lists as Stripe pages them: the newest first, `limit` and `starting_after`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from marketplace.ledger.gateways.sandbox_engine.refusals import Refused, no_such
from marketplace.ledger.gateways.sandbox_engine.shapes import Shape, plain

PAGING = {"limit", "starting_after", "expand"}


def page_of(
    rows: QuerySet[Any], shape: Callable[[Any], Shape], query: dict[str, Any], path: str, *, filters: set[str]
) -> Shape:
    """One page; `filters` are the parameters that the caller has applied."""
    refuse_unknown(query, PAGING | filters)
    limit = int(query.get("limit", 10))
    if not 1 <= limit <= 100:
        raise Refused("limit is from 1 to 100", code="parameter_invalid_integer")
    rows = rows.order_by("-pk")
    if after := query.get("starting_after"):
        cursor = rows.model.objects.filter(public_id=after).first()
        if cursor is None:
            raise no_such("object", after)
        rows = rows.filter(pk__lt=cursor.pk)
    found = list(rows[: limit + 1])
    expand = [each.removeprefix("data.") for each in query.get("expand", ()) if each.startswith("data.")]
    data = [plain(shape(row), expand) for row in found[:limit]]
    return {"object": "list", "url": path, "has_more": len(found) > limit, "data": data}


def created(rows: QuerySet[Any], query: dict[str, Any]) -> QuerySet[Any]:
    """`created[gte]` and `created[lt]`."""
    edges = query.get("created", {})
    refuse_unknown(edges, {"gte", "lt"})
    for name, edge in edges.items():
        rows = rows.filter(**{f"created_at__{name}": datetime.fromtimestamp(int(edge), UTC)})
    return rows


def refuse_unknown(given: dict[str, Any], known: set[str]) -> None:
    """As Stripe does: a parameter that it does not know is no parameter that it ignores."""
    strangers = sorted(set(given) - known)
    if strangers:
        raise Refused(f"Received unknown parameters: {', '.join(strangers)}", code="parameter_unknown", kept=False)
