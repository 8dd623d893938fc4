"""The matcher again, slow and plain: one loop per column, no arrays, nothing shared with the core but its types."""

from scheduler.core.types import DUE_HORIZON_S, FREE_HORIZON_S, HOUR_S, START_MARGIN_S, Ask, OfferFacts, Snapshot

Column = tuple[int, int, str, int, int, tuple[int, ...]]  # key, start, offer, run cost, z, hours


def decide(snapshot: Snapshot) -> list[tuple[str, str, int, int]]:
    """[(ask, offer, start, z)] in the order of decision."""
    free = {offer.id: list(offer.free) for offer in snapshot.offers}
    decisions = []
    for members in in_order(snapshot, free):
        if members[0].gang is None:
            column = best(snapshot, members[0], free)
            found = None if column is None or waits(snapshot, members[0], column) else [column]
        else:
            found = together(snapshot, members, free)
        for ask, (_, start, offer, _, z, hours) in zip(members, found or (), strict=False):
            take(free, offer, hours, ask.units)
            decisions.append((ask.id, offer, start, z))
    return decisions


def in_order(snapshot: Snapshot, free: dict[str, list[int]]) -> list[list[Ask]]:
    """Asks alone and whole gangs, the largest member first: those due by when, then by utility per unit-hour."""
    units: dict[tuple[str, object], list[Ask]] = {}
    for ask in sorted(snapshot.asks, key=lambda a: (-a.units, a.id) if a.gang is not None else (0, a.id)):
        units.setdefault(("alone", ask.id) if ask.gang is None else ("gang", ask.gang), []).append(ask)
    whole = [each for each in units.values() if each[0].gang is None or all(a.gang_size == len(each) for a in each)]
    due = [each for each in whole if all(a.is_due(snapshot.now_s) for a in each)]
    due.sort(key=lambda each: (max(a.due_s for a in each), min(a.id for a in each)))
    others = [each for each in whole if each not in due]
    others.sort(key=lambda each: (density(snapshot, each, free), min(a.id for a in each)))
    return due + others


def take(free: dict[str, list[int]], offer: str, hours: tuple[int, ...], units: int) -> None:
    for hour in hours:
        free[offer][hour] -= units


def together(snapshot: Snapshot, members: list[Ask], free: dict[str, list[int]]) -> list[Column] | None:
    """The columns of all members at the start of the lowest z over all units; the earliest if one wants it now."""
    found = []
    for number in range(1 if any(in_a_hurry(snapshot, ask) for ask in members) else snapshot.hours):
        start = snapshot.now_s if number == 0 else snapshot.first_hour_s + HOUR_S * number
        left = {offer: list(hours) for offer, hours in free.items()}
        columns = []
        for ask in members:
            column = best(snapshot, ask, left, start)
            if column is None:
                break
            take(left, column[2], column[5], ask.units)
            columns.append(column)
        else:
            cost = sum(ask.units * column[4] for ask, column in zip(members, columns, strict=True))
            found.append((0 if any(a.when == "now" for a in members) else cost, number, columns))
    return min(found)[2] if found else None


def in_a_hurry(snapshot: Snapshot, ask: Ask) -> bool:
    """A short run that would start now if nothing were promised, of a gang that is not due."""
    gang_is_due = all(a.is_due(snapshot.now_s) for a in snapshot.asks if a.gang == ask.gang)
    empty = best(snapshot, ask, {offer.id: list(offer.units_total) for offer in snapshot.offers})
    return not gang_is_due and 2 * ask.run_s <= HOUR_S and empty is not None and empty[1] <= snapshot.now_s


def best(snapshot: Snapshot, ask: Ask, free: dict[str, list[int]], at: int | None = None) -> Column | None:
    found = [
        column
        for offer in snapshot.offers
        for column in columns(snapshot, ask, offer)
        if all(free[offer.id][hour] >= ask.units for hour in column[5]) and at in (None, column[1])
    ]
    return min(found, default=None)


def columns(snapshot: Snapshot, ask: Ask, offer: OfferFacts) -> list[Column]:
    found = []
    for number in range(snapshot.hours):
        start = snapshot.now_s if number == 0 else snapshot.first_hour_s + HOUR_S * number
        used = seconds_by_hour(snapshot, start, start + ask.run_s)
        if used is not None and allowed(snapshot, ask, offer, start, used):
            cost, z = costs(snapshot, ask, offer, start, used)
            key = (number << 50) + z if ask.when == "now" else z
            found.append((key, start, offer.id, cost, z, tuple(used)))
    return found


def seconds_by_hour(snapshot: Snapshot, start: int, end: int) -> dict[int, int] | None:
    ahead = DUE_HORIZON_S if any(a.is_due(snapshot.now_s) for a in snapshot.asks) else FREE_HORIZON_S
    if end > min(snapshot.now_s + ahead, snapshot.first_hour_s + HOUR_S * snapshot.hours):
        return None
    used: dict[int, int] = {}
    for second in range(start, end, 60):
        hour = (second - snapshot.first_hour_s) // HOUR_S
        used[hour] = used.get(hour, 0) + 60
    return used


def allowed(snapshot: Snapshot, ask: Ask, offer: OfferFacts, start: int, used: dict[int, int]) -> bool:
    price = sum(offer.price[hour] * used[hour] for hour in used)
    share = sum(offer.share_ppm[hour] * used[hour] for hour in used)
    limits = ask.limits
    tests = {
        "tier": lambda limit: offer.tier in limit,
        "latency_ms__lte": lambda limit: offer.latency_ms.get("shanghai", limit + 1) <= limit,
        "renewable_share__gte": lambda limit: share >= limit * ask.run_s,
        "price_pflop__lte": lambda limit: price <= limit * ask.run_s * offer.pf_milli,
        "total__lte": lambda limit: ask.units * price < (limit + 1) * 3_600_000,
    }
    late = ask.finish_by_s is not None and start + ask.run_s + START_MARGIN_S > ask.finish_by_s
    return not late and start >= (ask.start_after_s or 0) and all(tests[name](limits[name]) for name in limits)


def taste(ask: Ask) -> tuple[int, int, int]:
    """Rates for ms, share and waiting at the reference of the tests: S_p 250,000, S_l 100, p_mid 230,000."""
    return {"balanced": (1250, 250_000, 2300), "now": (1250, 250_000, 2300), "cheapest": (0, 0, 0)}[ask.when]


def costs(snapshot: Snapshot, ask: Ask, offer: OfferFacts, start: int, used: dict[int, int]) -> tuple[int, int]:
    per_ms, per_share, per_hour = (rate * offer.pf_milli // 1000 for rate in taste(ask))
    latency = per_ms * max(0, offer.latency_ms.get("shanghai", 105) - 5)
    total = sum(
        (offer.price[hour] + latency + per_share * (10**6 - offer.share_ppm[hour]) // 10**6) * seconds
        for hour, seconds in used.items()
    )
    waited = max(0, start - max(snapshot.now_s, ask.start_after_s or 0))
    cost = total // 3600 + per_hour * waited * ask.run_s // 3600**2
    return cost, cost * 3_600_000 // (ask.run_s * offer.pf_milli)


def density(snapshot: Snapshot, members: list[Ask], free: dict[str, list[int]]) -> int:
    """Utility per unit-hour of all members, each on the column it likes best alone; 1 where one has none."""
    columns = [best(snapshot, ask, free) for ask in members]
    if None in columns:
        return 1
    utility = sum(worth(snapshot, ask, column) for ask, column in zip(members, columns, strict=True))
    return -(utility // sum(ask.units * len(column[5]) for ask, column in zip(members, columns, strict=True)))


def worth(snapshot: Snapshot, ask: Ask, column: Column) -> int:
    _, _, offer_id, cost, _, _ = column
    [offer] = [each for each in snapshot.offers if each.id == offer_id]
    per_ms, per_share, per_hour = taste(ask)
    bid = min(2 * 230_000, ask.limits.get("price_pflop__lte", 10**6) * 1000)
    value = ask.units * ask.run_s * offer.pf_milli * (bid + 100 * per_ms + per_share + 24 * per_hour) // 3_600_000
    return max(1, value - ask.units * cost)


def waits(snapshot: Snapshot, ask: Ask, column: Column) -> bool:
    """A short run pushed into a later hour only by a lack of units now (docs/decisions/0002)."""
    _, start, _, _, _, hours = column
    if start <= snapshot.now_s or ask.is_due(snapshot.now_s) or 2 * ask.run_s > HOUR_S * len(hours):
        return False
    empty = best(snapshot, ask, {offer.id: list(offer.units_total) for offer in snapshot.offers})
    return empty is not None and empty[1] <= snapshot.now_s
