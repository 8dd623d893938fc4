"""The matcher's door. The compiler behind it takes over a second to load, so only who decides pays for that."""

from scheduler.core.types import INSTANT, Plan, Snapshot


def match(snapshot: Snapshot) -> Plan:
    """Place the asks of `snapshot`. Equal bytes in give equal bytes out. Raises ValueError for an unknown limit."""
    from scheduler.core.cutting import cut  # noqa: PLC0415 - see above
    from scheduler.core.makeroom import make_room  # noqa: PLC0415
    from scheduler.core.rounds import decide  # noqa: PLC0415

    plan = decide(snapshot)
    if snapshot.victims and snapshot.mode != INSTANT:
        plan = make_room(snapshot, plan)
    return cut(snapshot, plan)
