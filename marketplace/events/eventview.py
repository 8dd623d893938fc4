"""An event as the API shows it: thin, without what only one side may see."""

from typing import Any

from marketplace.common.clock import rfc3339
from marketplace.events.models import Event


def event_as_json(event: Event) -> dict[str, Any]:
    """Id, type, time, object, state and reason."""
    return {
        "object": "event",
        "id": event.public_id,
        "type": event.type,
        "at": rfc3339(event.at),
        "object_id": event.object_id,
        "state": event.state or None,
        "reason": event.reason or None,
    }
