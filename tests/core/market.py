"""The five offers of the specification's vector 1, and small random markets."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from scheduler.core.types import Ask, OfferFacts, Rates, Reference, Snapshot

HOUR = 3600
NOON = 1_795_521_600 // HOUR * HOUR
REFERENCE = Reference(p_lo=150_000, p_mid=230_000, p_hi=400_000)
# name: price, pf_milli, ms, share in per cent
VECTOR = {
    "A": (216_000, 989, 31, 62),
    "B": (244_000, 989, 27, 93),
    "C": (72_000, 320, 29, 74),
    "D": (286_000, 989, 2, 33),
    "E": (188_000, 756, 12, 56),
}


def offer(
    name: str, *, hours: int = 2, price: Any = 200_000, share: Any = 500_000, free: Any = 8, **fields: Any
) -> OfferFacts:
    """An offer with constant or given hourly numbers."""

    def hourly(value: Any) -> tuple[int, ...]:
        return tuple(value) if isinstance(value, (list, tuple)) else (value,) * hours

    values = {
        "id": name, "title": name, "site": f"site-{name}", "site_title": name, "provider": f"p-{name}",
        "kind": "datacenter", "country": "CN", "region": "east", "zone": "Z", "family": "accelerator",
        "hardware": "h100", "accelerator": "H100", "memory_gb": 80, "interconnect": "NVLink", "pf_milli": 989,
        "watts": 1000, "tier": "firm", "term": "on_demand", "currency": "USD", "notice_s": 120, "boot_s": 60,
        "reliability_ppm": 999_000, "egress": False, "evidence": "documents", "sample": True,
        "latency_ms": {"shanghai": 10},
    }  # fmt: skip
    series = {
        "price": hourly(price), "share_ppm": hourly(share), "matched_ppm": hourly(fields.pop("matched", 0)),
        "ci_mg": hourly(fields.pop("ci", 400_000)), "free": hourly(free),
        "units_total": hourly(fields.pop("total", free)),
    }  # fmt: skip
    return OfferFacts(**(values | series | fields))


def vector_offers() -> list[OfferFacts]:
    return [
        offer(name, price=price, pf_milli=pf, share=share * 10_000, latency_ms={"shanghai": ms})
        for name, (price, pf, ms, share) in VECTOR.items()
    ]


def snapshot(offers: list[OfferFacts], *asks: Ask, now: int = NOON, reference: Reference = REFERENCE) -> Snapshot:
    first = now // HOUR * HOUR
    return Snapshot(
        now_s=now, first_hour_s=first, hours=len(offers[0].price), offers=tuple(offers), asks=tuple(asks),
        reference=reference,
    )  # fmt: skip


def ask(name: str = "a", **fields: Any) -> Ask:
    return Ask(**({"id": name, "units": 1, "run_s": HOUR, "near": "shanghai"} | fields))


@st.composite
def asks_at(draw: st.DrawFn, name: str, now: int) -> Ask:
    """One ask with a few limits at their edges."""
    limits = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "tier": st.just(("firm",)),
                "latency_ms__lte": st.sampled_from([5, 20]),
                "renewable_share__gte": st.sampled_from([250_000, 600_000]),
                "price_pflop__lte": st.sampled_from([120, 250, 400]),
                "total__lte": st.sampled_from([200, 5000]),
            },
        )
    )
    return ask(
        name,
        units=draw(st.integers(1, 4)),
        run_s=draw(st.sampled_from([60, 1800, HOUR, 2 * HOUR])),
        limits=limits,
        due_s=draw(st.sampled_from([None, now - 1])),
        when=draw(st.sampled_from(["balanced", "now", "cheapest"])),
        start_after_s=draw(st.sampled_from([None, NOON + HOUR])),
        finish_by_s=draw(st.sampled_from([None, NOON + 2 * HOUR])),
    )


@st.composite
def markets(draw: st.DrawFn) -> Snapshot:
    """Tiny, boundary-heavy markets: few units, few hours, many ties."""
    hours = draw(st.integers(2, 6))

    def series(values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=hours, max_size=hours))

    offers = []
    for number in range(draw(st.integers(1, 4))):
        free = series(st.integers(0, 3))
        offers.append(
            offer(
                f"o{number}", hours=hours, price=series(st.sampled_from([100_000, 150_000, 200_000])),
                share=series(st.sampled_from([0, 300_000, 1_000_000])), free=free,
                total=[units + draw(st.integers(0, 1)) for units in free], pf_milli=draw(st.sampled_from([320, 989])),
                tier=draw(st.sampled_from(["firm", "interruptible"])),
                latency_ms=draw(st.sampled_from([{}, {"shanghai": 5}, {"shanghai": 40}])),
            )
        )  # fmt: skip
    now = NOON + draw(st.sampled_from([0, 600, 2400]))
    asks = [draw(asks_at(f"a{number}", now)) for number in range(draw(st.integers(1, 6)))]
    return replace(snapshot(offers, now=now), asks=tuple(asks))


@st.composite
def gang_markets(draw: st.DrawFn) -> Snapshot:
    """The same with gangs of two or three, some of which lack a member."""
    market = draw(markets())
    asks = list(market.asks)
    for number, name in enumerate("xyz"):
        asks.append(draw(asks_at(f"a{name}", market.now_s)))
        asks[-1] = replace(asks[-1], gang=7 * number % 2, units=min(asks[-1].units, 2))
    lacks = {0: draw(st.sampled_from([0, 0, 0, 1])), 1: 0}
    sizes = {gang: sum(each.gang == gang for each in asks) + lacks[gang] for gang in lacks}
    return replace(market, asks=tuple(replace(each, gang_size=sizes.get(each.gang, 1)) for each in asks))


@st.composite
def varied(draw: st.DrawFn, each: Ask, now: int) -> Ask:
    """The ask with more of what an ask may state; mostly not due, and with more units than bits are kept for."""
    fields = draw(
        st.fixed_dictionaries(
            {"units": st.sampled_from([each.units, each.units, 3 * each.units]),
             "due_s": st.sampled_from([None, None, each.due_s])},
            optional={
                "reference_pf_milli": st.sampled_from([320, 989]),
                "time_limit_by_class": st.sampled_from([{"h100": 1200}, {"a100": 2 * HOUR + 60}]),
                "weights": st.sampled_from([(80, 10, 10), (10, 80, 10), (34, 33, 33)]),
                "rates": st.builds(Rates, *(st.sampled_from([0, each_]) for each_ in (900, 90_000, 9000, 20_000))),
                "waiting_value": st.sampled_from([0, 30_000]),
                "carbon_price": st.just(10_000),
                "bid_mm": st.sampled_from([1, 300_000]),
                "age_mm": st.integers(0, 230_000),
                "share_mm": st.integers(-115_000, 115_000),
                "start_s": st.sampled_from([now, now + 900, NOON + HOUR]),
                "near": st.just(None),
            },
        )
    )  # fmt: skip
    return replace(each, **(fields if each.gang is None else fields | {"start_s": None}))


@st.composite
def batch_markets(draw: st.DrawFn) -> Snapshot:
    """What a batch may meet: every ask up to three times, offers of two classes, prices kept from a round before."""
    market = draw(markets() | gang_markets())
    asks = []
    for each in market.asks:
        copies = 1 if each.gang is not None else draw(st.integers(1, 3))
        alike = draw(varied(each, market.now_s))
        asks += [replace(alike, id=f"{each.id}-{copy}") for copy in range(copies)]
    factor = draw(st.sampled_from([1, 1, 4]))
    offers = tuple(
        replace(
            each, hardware=draw(st.sampled_from(["h100", "a100"])), watts=draw(st.sampled_from([700, 1000])),
            free=tuple(factor * units for units in each.free),
            units_total=tuple(factor * units for units in each.units_total),
        )
        for each in market.offers
    )  # fmt: skip
    hours = st.lists(st.sampled_from([0, 40_000, 150_000, 10**9]), max_size=market.hours + 1).map(tuple)
    warm = draw(st.just({}) | st.dictionaries(st.sampled_from([each.id for each in offers]), hours))
    seed = draw(st.integers(0, 2**63 - 1))
    return replace(market, offers=offers, asks=tuple(asks), warm=warm, seed=seed)
