"""The matcher again, slow and plain: one loop per column, no arrays, nothing shared with the core but its types."""

from scheduler.core.types import DUE_HORIZON_S, FREE_HORIZON_S, HOUR_S, START_MARGIN_S, Ask, OfferFacts, Snapshot

Column = tuple[int, int, str, int, int, tuple[int, ...]]  # key, start, offer, run cost, z, hours


def decide(snapshot: Snapshot) -> list[tuple[str, str, int, int]]:
    """[(ask, offer, start, z)] in the order of decision."""
    free = {offer.id: list(offer.free) for offer in snapshot.offers}
    due = sorted((a for a in snapshot.asks if a.is_due(snapshot.now_s)), key=lambda a: (a.due_s, a.id))
    others = [a for a in snapshot.asks if not a.is_due(snapshot.now_s)]
    others.sort(key=lambda a: density(snapshot, a, best(snapshot, a, free)))
    decisions = []
    for ask in due + others:
        column = best(snapshot, ask, free)
        if column is None or waits(snapshot, ask, column):
            continue
        _, start, offer, _, z, hours = column
        for hour in hours:
            free[offer][hour] -= ask.units
        decisions.append((ask.id, offer, start, z))
    return decisions


def best(snapshot: Snapshot, ask: Ask, free: dict[str, list[int]]) -> Column | None:
    found = [
        column
        for offer in snapshot.offers
        for column in columns(snapshot, ask, offer)
        if all(free[offer.id][hour] >= ask.units for hour in column[5])
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


def density(snapshot: Snapshot, ask: Ask, column: Column | None) -> tuple[int, str]:
    if column is None:
        return 1, ask.id
    _, _, offer_id, cost, _, hours = column
    [offer] = [each for each in snapshot.offers if each.id == offer_id]
    per_ms, per_share, per_hour = taste(ask)
    bid = min(2 * 230_000, ask.limits.get("price_pflop__lte", 10**6) * 1000)
    worth = ask.units * ask.run_s * offer.pf_milli * (bid + 100 * per_ms + per_share + 24 * per_hour) // 3_600_000
    return -(max(1, worth - ask.units * cost) // (ask.units * len(hours))), ask.id


def waits(snapshot: Snapshot, ask: Ask, column: Column) -> bool:
    """A short run pushed into a later hour only by a lack of units now (docs/decisions/0002)."""
    _, start, _, _, _, hours = column
    if start <= snapshot.now_s or ask.is_due(snapshot.now_s) or 2 * ask.run_s > HOUR_S * len(hours):
        return False
    empty = best(snapshot, ask, {offer.id: list(offer.units_total) for offer in snapshot.offers})
    return empty is not None and empty[1] <= snapshot.now_s
