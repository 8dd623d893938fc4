"""The five offers of the specification's vector 1, and small random markets."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from scheduler.core.types import Ask, OfferFacts, Reference, Snapshot

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
