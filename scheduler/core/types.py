"""What the core reads and answers: frozen facts, integers everywhere.

Money in mm (thousandths of a minor unit), shares in ppm, intensity in mg/kWh, power in W including PUE, memory in GB,
time in unix seconds (half-open). Hour `h` of a snapshot covers `[first_hour_s + 3600*h, first_hour_s + 3600*(h+1))`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

CORE_VERSION = "8"
INSTANT = "instant"  # a mode that only places: what it leaves waits for the next batch, which says why
GREEDY = "greedy"
BATCH = "batch"
QUALITY = "quality"
REPLAN = "replan"  # of work that is promised for later
MODES = (INSTANT, GREEDY, BATCH, QUALITY, REPLAN)  # to place: from the quickest to the most careful (matching.md, 6)
HOUR_S = 3600
FREE_HORIZON_S = 168 * HOUR_S  # a job that is not due must end within it
DUE_HORIZON_S = 336 * HOUR_S  # week two belongs to due jobs
START_MARGIN_S = 120  # a run must be able to start this long before its last chance
MIN_RUN_S, MAX_RUN_S = 60, 604_800
MOST_IN_GANG = 64
MOST_PIECES = 4
MAX_RATE_MM = 10**9  # per unit-hour; above it int64 sums could overflow

# Why an ask waits, the most hopeful first: others go first, its gang does not fit or is not all there, units lack, …
UNPLACED = ("outbid", "gang_incomplete", "no_capacity", "no_offer_fits", "never_fits")

When = Literal["balanced", "cheapest", "greenest", "now"]
LimitValue = int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Yesterday's firm prices of the segment, mm per PFLOP-hour: 10th, 50th and 90th percentile, and the two scales."""

    p_lo: int
    p_mid: int
    p_hi: int
    s_l: int = 100
    free_ms: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.p_lo <= self.p_mid <= self.p_hi or self.s_p < 1 or self.s_l < 1 or self.free_ms < 0:
            raise ValueError("a reference needs 0 <= p_lo <= p_mid <= p_hi, p_mid >= 10 or p_hi > p_lo, and s_l >= 1")

    @property
    def s_p(self) -> int:
        """The price that weighs as much as a whole share or `s_l` ms."""
        return max(self.p_hi - self.p_lo, self.p_mid // 10)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a buyer pays to avoid a ms, a grey share, an hour of waiting (mm per PFLOP-hour) and a kg of CO2e (mm)."""

    latency_value: int
    green_value: int
    waiting_value: int = 0
    carbon_price: int = 0

    def __post_init__(self) -> None:
        if min(self.latency_value, self.green_value, self.waiting_value, self.carbon_price) < 0:
            raise ValueError("rates must not be negative")


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """One live offer as the round sees it; the six arrays hold one number per hour of the snapshot.

    `price` is all-in mm per unit-hour (rate, fee, tax); `share_ppm` the P50 of blended_share; `matched_ppm` the P10 of
    matched_share; `free` the units still free, `units_total` those free if nothing were promised. `latency_ms` maps a
    place (slug or "lat,lon") to the p95 round trip; an absent place is unknown. `reliability_ppm` None is unknown, as
    is an empty `carbon_free_ppm`. Raises ValueError for numbers out of range: once, when the facts are made.
    """

    id: str
    title: str
    site: str
    site_title: str
    provider: str
    kind: str
    country: str
    region: str
    zone: str
    family: str
    hardware: str
    accelerator: str
    memory_gb: int
    interconnect: str
    pf_milli: int
    watts: int
    tier: str
    term: str
    currency: str
    notice_s: int
    boot_s: int
    reliability_ppm: int | None
    egress: bool
    evidence: str
    sample: bool
    price: tuple[int, ...]
    share_ppm: tuple[int, ...]
    matched_ppm: tuple[int, ...]
    ci_mg: tuple[int, ...]
    free: tuple[int, ...]
    units_total: tuple[int, ...]
    latency_ms: Mapping[str, int] = field(default_factory=dict)
    carbon_free_ppm: tuple[int, ...] = ()
    served: bool = True
    energy_sources: tuple[str, ...] = ()
    temporal_resolution: str = ""

    def __post_init__(self) -> None:
        arrays = (self.price, self.share_ppm, self.matched_ppm, self.ci_mg, self.free, self.units_total)
        if any(min(array, default=0) < 0 for array in arrays) or max(self.price, default=0) > MAX_RATE_MM:
            raise ValueError(f"offer {self.id}: no hourly number is negative, no price above {MAX_RATE_MM} mm")
        if max(self.share_ppm, default=0) > 10**6 or max(self.matched_ppm, default=0) > 10**6:
            raise ValueError(f"offer {self.id}: a share is at most 1,000,000 ppm")
        if self.pf_milli < 1:
            raise ValueError(f"offer {self.id}: pf_milli must be at least 1")
        hours = len(self.price)
        if any(len(array) != hours for array in arrays) or len(self.carbon_free_ppm) not in {0, hours}:
            raise ValueError(f"offer {self.id}: every hourly array needs {hours} numbers")


@dataclass(frozen=True, slots=True)
class Ask:
    """One job or quote request.

    `run_s` is the time limit (60..604,800). With `reference_pf_milli` it is stated for a class of that speed, and
    another class takes `ceil(run_s*pf_ref/pf)` unless `time_limit_by_class` (hardware slug -> seconds) says otherwise;
    it also turns the run into work, and so into the ask's value (without it the class of the offer taken counts).
    `weights` are whole per cents (price, latency, green) summing to 100; `rates` replaces them. `limits` uses the
    names of `feasibility.FILTERS` in core units (ppm, mg/kWh, minor units, ms, s; lists as tuples of text). `due_s` at
    or before now makes the ask due. `start_s` pins the start. `bid_mm`, `age_mm`, `share_mm`: mm per PFLOP-hour;
    without `bid_mm` the bid is `price_pflop__lte`. `waiting_value` None is 1 % of p_mid. Asks of one `gang` (a
    number) start together or not at all, and all `gang_size` of them must be there. It may run in up to `max_pieces`
    pieces on one offer, each after the first `restart_s` longer.
    """

    id: str
    units: int
    run_s: int
    submitted_s: int = 0
    due_s: int | None = None
    start_after_s: int | None = None
    finish_by_s: int | None = None
    start_s: int | None = None
    weights: tuple[int, int, int] = (40, 20, 40)
    rates: Rates | None = None
    when: When = "balanced"
    near: str | None = None
    limits: Mapping[str, LimitValue] = field(default_factory=dict)
    excluded_sites: tuple[str, ...] = ()
    reference_pf_milli: int | None = None
    time_limit_by_class: Mapping[str, int] = field(default_factory=dict)
    waiting_value: int | None = None
    carbon_price: int = 0
    bid_mm: int | None = None
    age_mm: int = 0
    share_mm: int = 0
    gang: int | None = None
    gang_size: int = 1
    max_pieces: int = 1
    restart_s: int = 0

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ValueError(f"ask {self.id}: units must be at least 1")
        runs = (self.run_s, *self.time_limit_by_class.values())
        if min(runs) < MIN_RUN_S or max(runs) > MAX_RUN_S:
            raise ValueError(f"ask {self.id}: a run takes {MIN_RUN_S} to {MAX_RUN_S} s")
        if sum(self.weights) != 100 or min(self.weights) < 0 or self.weights[0] < 5:
            raise ValueError(f"ask {self.id}: weights must sum to 100 with price at least 5")
        if not 1 <= self.max_pieces <= MOST_PIECES or self.restart_s < 0:
            raise ValueError(f"ask {self.id}: work runs in 1 to {MOST_PIECES} pieces, and restarts take time")
        if self.gang is not None and (self.start_s is not None or not 1 <= self.gang_size <= MOST_IN_GANG):
            raise ValueError(f"ask {self.id}: a gang has up to {MOST_IN_GANG} asks and chooses its start itself")

    def is_due(self, now_s: int) -> bool:
        """Whether it has waited so long that it goes before every bid."""
        return self.due_s is not None and self.due_s <= now_s


@dataclass(frozen=True, slots=True)
class Placement:
    """One ask placed: `hours` are the unix seconds of every hour whose units it takes; costs in mm per unit."""

    ask: str
    offer: str
    start_s: int
    end_s: int
    units: int
    hours: tuple[int, ...]
    run_cost: int
    z: int
    u: int


@dataclass(frozen=True, slots=True)
class Victim:
    """Interruptible work on `offer` that firm work on its `twin` may end: `units` in every hour of [start_s, end_s).

    `started_s` is when it began to run, `saved_s` its last checkpoint (None: not yet); `price` mm per unit-hour;
    `preempted` how often its job was within a day; `due` whether it goes before every bid. It has `notice_s` to end.
    """

    id: str
    offer: str
    twin: str
    units: int
    start_s: int
    end_s: int
    price: int
    notice_s: int
    started_s: int | None = None
    saved_s: int | None = None
    preempted: int = 0
    due: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a round may read. `hours` should be 169 (337 with due asks) so that the last day is whole.

    `warm` holds the hourly prices kept from earlier rounds by offer: mm per unit-hour from `first_hour_s` on, without
    the zeros at the end; an offer that has none is left out. In mode replan every ask is `held` by what it is promised
    now, on an offer of the snapshot; `free` is without those hours. `victims` is what may be ended for firm work.
    """

    now_s: int
    first_hour_s: int
    hours: int
    offers: tuple[OfferFacts, ...]
    asks: Sequence[Ask]  # one by one in a tuple, or as columns
    reference: Reference
    seed: int = 0
    mode: str = GREEDY
    core_version: str = CORE_VERSION
    warm: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    held: Mapping[str, Placement] = field(default_factory=dict)
    victims: tuple[Victim, ...] = ()

    def __post_init__(self) -> None:
        if self.first_hour_s % HOUR_S or not 0 <= self.now_s - self.first_hour_s < HOUR_S:
            raise ValueError("first_hour_s must be the whole hour in which now_s lies")
        if self.hours < 1:
            raise ValueError("a snapshot needs at least one hour")
        if self.mode not in MODES:
            raise ValueError(f"a round is of mode {', '.join(MODES)}, not {self.mode}")
        given = self.asks if isinstance(self.asks, tuple) else ()  # columns have looked themselves
        for kind, ids in (("offer", [o.id for o in self.offers]), ("ask", [a.id for a in given])):
            if len(set(ids)) != len(ids):
                raise ValueError(f"{kind} ids must be unique")
        for offer in self.offers:
            if len(offer.price) != self.hours:
                raise ValueError(f"offer {offer.id}: every hourly array needs {self.hours} numbers")

    def horizon_end(self, *, due: bool) -> int:
        """The second by which an ask must have ended; those that are due may use week two."""
        ahead = DUE_HORIZON_S if due else FREE_HORIZON_S
        return min(self.now_s + ahead, self.first_hour_s + HOUR_S * self.hours)


@dataclass(frozen=True, slots=True)
class Relax:
    """The smallest change of one limit (or of a pair, when no single one helps) that brings refused offers back.

    `offers` counts those that return; `offer` is the first of them; `changes` are (filter name, new value or None to
    drop it) and surely admit it. Besides the filters, `units`, `start_after` and `finish_by` may be named.
    """

    limits: tuple[str, ...]
    offers: int
    offer: str
    z: int
    to: int | bool | str | None
    changes: tuple[tuple[str, LimitValue | None], ...]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """One ask left waiting: `code` is one of UNPLACED; `rejected` counts offers."""

    ask: str
    code: str
    rejected: Mapping[str, int]
    relax: tuple[Relax, ...]


@dataclass(frozen=True, slots=True)
class Preemption:
    """One ask placed where `victims` (their ids) must end first, and what that loses, mm."""

    placement: Placement
    victims: tuple[str, ...]
    lost: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer of a round; `placed` is in the order of decision, `unplaced` by ask id.

    A batch also has a certificate: no plan has more utility than `bound` (mm), which `prices` prove, mm per unit-hour
    in the form of `Snapshot.warm`; `price_steps` and `moves` say what was spent on them and on the plan. `preempting`
    asks are placed as well, where interruptible work ends. `pieces` has by ask [start, end) of every piece, in unix
    seconds, of those in pieces: their placement is that of the first, with the `hours` and the cost of all.
    """

    placed: tuple[Placement, ...]
    unplaced: tuple[Unplaced, ...]
    bound: int | None = None
    price_steps: int = 0
    moves: int = 0
    prices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    preempting: tuple[Preemption, ...] = ()
    pieces: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    @property
    def allocated(self) -> tuple[Placement, ...]:
        """Every placement, those for which others end last."""
        return (*self.placed, *(each.placement for each in self.preempting)) if self.preempting else self.placed

    @property
    def utility(self) -> int:
        """Sum of U over the placed asks, mm; units that victims have are not of the market that the bound speaks of."""
        return sum(placement.u for placement in self.placed)
