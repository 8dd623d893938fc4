"""A seeded market for measurements: 12 regions, 6 accelerators, offers with daily prices and shares, jobs with limits.

The specification fixes the sizes (1 to 8 units, 1 to 24 h, slack 0 to 24 h, asked unit-hours 0.7 to 2 times those
offered); the rest is drawn here (docs/decisions/0012 says why so). u units are as rare as u**-2: most jobs ask for one.
A job is released in the first day, takes one or any accelerator, weighs by one of the five presets from one of the
regions, and may limit share, price or latency. Its run is stated for the accelerator that it takes, or for one drawn
where it takes any: its work is the same wherever it runs, only the hours differ. Everything is integer and comes from
one NumPy generator, so equal arguments give equal markets.
"""

from dataclasses import dataclass, field

import numpy as np

from scheduler.core.market import Ints
from scheduler.core.scoring import PRESETS
from scheduler.core.types import HOUR_S, START_MARGIN_S, Ask, OfferFacts, Reference, Snapshot

FIRST_S = 1_795_521_600  # a Monday's midnight, UTC
REGIONS = 12
ACCELERATORS = (("H200", 989), ("H100", 989), ("A100", 312), ("L40S", 362), ("MI300X", 1307), ("910B", 320))
REFERENCE = Reference(p_lo=150_000, p_mid=230_000, p_hi=400_000)
SIZES = np.arange(1, 9)
RARITY = SIZES**-2.0 / (SIZES**-2.0).sum()
NO_LIMIT = -1
ANY = len(ACCELERATORS)


@dataclass(frozen=True)
class Drawn:
    """The drawn numbers: `offers` by offer, `hourly` [offers, hours], `jobs` by job; NO_LIMIT where none is set.

    `demand` is what came out: unit-hours asked for, each on its reference class, per unit-hour offered.
    """

    hours: int
    demand: float
    offers: dict[str, Ints] = field(default_factory=dict)
    hourly: dict[str, Ints] = field(default_factory=dict)
    latency_ms: Ints = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    jobs: dict[str, Ints] = field(default_factory=dict)


def draw(*, jobs: int, offers: int, hours: int = 72, seed: int = 1) -> Drawn:
    """The numbers of a market of that size."""
    numbers = np.random.default_rng([seed, jobs, offers, hours])
    demand = float(numbers.uniform(0.7, 2.0))
    asked = _draw_jobs(numbers, jobs)
    shelf = {"region": numbers.integers(0, REGIONS, offers), "accelerator": numbers.integers(0, ANY, offers)}
    wanted = int((asked["units"] * -(-asked["run_s"] // HOUR_S)).sum())
    mean = wanted / (demand * offers * hours)
    shelf["units"] = numbers.integers(1, max(1, round(2 * mean) - 1) + 1, offers)
    latency = np.abs(np.subtract.outer(np.arange(REGIONS), shelf["region"]))
    latency = np.minimum(latency, REGIONS - latency) * 18 + numbers.integers(2, 12, (REGIONS, offers))
    hourly = _draw_hours(numbers, shelf, hours)
    offered = int(shelf["units"].sum()) * hours
    asked["reference"] = np.where(asked["accelerator"] < ANY, asked["accelerator"], numbers.integers(0, ANY, jobs))
    return Drawn(hours, wanted / offered, shelf, hourly, latency, asked)


def _draw_jobs(numbers: np.random.Generator, jobs: int) -> dict[str, Ints]:
    def sometimes(chance: float, values: Ints) -> Ints:
        return np.where(numbers.random(jobs) < chance, values, NO_LIMIT)

    run_s = numbers.integers(1, 25, jobs) * HOUR_S - 60 * numbers.integers(0, 30, jobs)
    release = numbers.integers(0, 24, jobs) * HOUR_S
    return {
        "units": numbers.choice(SIZES, jobs, p=RARITY),
        "run_s": run_s,
        "release_s": release,
        "finish_s": release + run_s + numbers.integers(0, 25, jobs) * HOUR_S + START_MARGIN_S + HOUR_S,
        "region": numbers.integers(0, REGIONS, jobs),
        "preset": numbers.integers(0, len(PRESETS), jobs),
        "accelerator": np.where(numbers.random(jobs) < 0.8, numbers.integers(0, ANY, jobs), ANY),
        "share_ppm": sometimes(0.3, 100_000 * numbers.integers(2, 6, jobs)),
        "price_minor": sometimes(0.5, numbers.integers(230, 461, jobs)),
        "latency_ms": sometimes(0.2, numbers.integers(20, 90, jobs)),
    }


def _draw_hours(numbers: np.random.Generator, shelf: dict[str, Ints], hours: int) -> dict[str, Ints]:
    """Shares are those of the region's grid; three offers of ten cost a fifth more in the evening and less at noon."""
    offers = shelf["region"].size
    pf_milli = np.array([speed for _, speed in ACCELERATORS])[shelf["accelerator"]]
    local = (np.arange(hours) + 2 * np.arange(REGIONS)[:, None]) % 24  # regions two hours apart
    sun = np.maximum(0, 6 - np.abs(local - 12))  # 0 at night, 6 at noon
    wind = numbers.integers(5, 55, (REGIONS, 1))
    share = np.clip(10_000 * (wind + 7 * sun + numbers.integers(-5, 6, (REGIONS, hours))), 0, 10**6)
    base = numbers.integers(150_000, 400_001, (offers, 1)) * pf_milli[:, None] // 1000
    curve = np.where((local >= 17) & (local < 22), 120, 100 - 3 * sun)[shelf["region"]]
    curved = numbers.random((offers, 1)) < 0.3
    return {
        "share_ppm": share[shelf["region"]],
        "price": np.where(curved, base * curve // 100, base),
        "ci_mg": (10**6 - share[shelf["region"]]) * 7 // 10,
    }


def snapshot_of(drawn: Drawn) -> Snapshot:
    """The market as the core reads it."""
    count, jobs = drawn.offers["region"].size, drawn.jobs["units"].size
    return Snapshot(
        now_s=FIRST_S, first_hour_s=FIRST_S, hours=drawn.hours, reference=REFERENCE,
        offers=tuple(_offer(drawn, number) for number in range(count)),
        asks=tuple(_ask(drawn, number) for number in range(jobs)),
    )  # fmt: skip


def _offer(drawn: Drawn, number: int) -> OfferFacts:
    region, units = int(drawn.offers["region"][number]), int(drawn.offers["units"][number])
    name, pf_milli = ACCELERATORS[int(drawn.offers["accelerator"][number])]
    shelf = (units,) * drawn.hours
    price, share, carbon = (tuple(drawn.hourly[key][number].tolist()) for key in ("price", "share_ppm", "ci_mg"))
    return OfferFacts(
        id=f"o{number:06}", title=f"offer {number}", site=f"s{number:06}", site_title=f"site {number}", provider="p",
        kind="datacenter", country="CN", region=f"r{region:02}", zone=f"z{region:02}", family="accelerator",
        hardware=name.lower(), accelerator=name, memory_gb=80, interconnect="", pf_milli=pf_milli, watts=900,
        tier="firm", term="on_demand", currency="USD", notice_s=120, boot_s=60, reliability_ppm=999_000, egress=True,
        evidence="documents", sample=True, price=price, share_ppm=share, matched_ppm=(0,) * drawn.hours, ci_mg=carbon,
        free=shelf, units_total=shelf,
        latency_ms={f"p{place:02}": int(drawn.latency_ms[place, number]) for place in range(REGIONS)},
    )  # fmt: skip


def _ask(drawn: Drawn, number: int) -> Ask:
    job = {name: int(values[number]) for name, values in drawn.jobs.items()}
    limits: dict[str, int | bool | tuple[str, ...]] = {}
    if job["accelerator"] < ANY:
        limits["accelerator"] = (ACCELERATORS[job["accelerator"]][0],)
    for name, key in (
        ("renewable_share__gte", "share_ppm"), ("price_pflop__lte", "price_minor"), ("latency_ms__lte", "latency_ms"),
    ):  # fmt: skip
        if job[key] != NO_LIMIT:
            limits[name] = job[key]
    return Ask(
        id=f"j{number:07}", units=job["units"], run_s=job["run_s"], submitted_s=FIRST_S,
        start_after_s=FIRST_S + job["release_s"], finish_by_s=FIRST_S + job["finish_s"],
        weights=tuple(PRESETS.values())[job["preset"]], near=f"p{job['region']:02}", limits=limits,
        reference_pf_milli=ACCELERATORS[job["reference"]][1],
    )  # fmt: skip
