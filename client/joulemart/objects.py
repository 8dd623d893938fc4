"""The API's objects, typed and frozen. Money is integer minor units (`*_minor`) or thousandths of one per hour
(`*_mm`), shares are parts per million (`*_ppm`), carbon intensity is mg CO2e per kWh. Times are aware.

Every object also keeps the JSON it came from in `raw`, so nothing the server says is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of every object: `raw` is the JSON as it came."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Provider(Record):
    """Who sells an offer."""

    id: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Site(Record):
    """Where an offer's machines stand. `pue_ppm` is power usage effectiveness times a million."""

    id: str = ""
    name: str = ""
    name_zh: str = ""
    kind: str = ""
    country: str = ""
    region: str = ""
    zone: str = ""
    lat: float | None = None
    lon: float | None = None
    pue_ppm: int | None = None
    sample: bool = False


@dataclass(frozen=True, kw_only=True)
class Hardware(Record):
    """What one unit is: `pf_milli` is dense PFLOPS times 1,000, `max_w` watts."""

    slug: str = ""
    accelerator: str = ""
    vendor: str = ""
    family: str = ""
    interconnect: str = ""
    memory_gb: float | None = None
    pf_milli: int | None = None
    vcpus: int | None = None
    ram_gb: float | None = None
    max_w: int | None = None


@dataclass(frozen=True, kw_only=True)
class Fit(Record):
    """Points of 100 and the three parts they are made of."""

    total: float = 0.0
    price: float = 0.0
    latency: float = 0.0
    green: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PriceLine(Record):
    """One line of an all-in total."""

    code: str = ""
    amount_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Match(Record):
    """How an offer answers one search: its best start, all-in price and fit.

    Shares are of the run, in ppm, and never added: renewable ranks (matched, and for the rest what the grid has);
    matched by the hour is what can be promised, None while it is unproven; expected is its middle. `quality` says what
    they rest on: metered, modelled, forecast, yearly (a year's average) or sample.
    """

    rank: int = 0
    letter: str = ""
    start: datetime | None = None
    end: datetime | None = None
    units: int = 1
    hours: float = 1
    total_minor: int = 0
    unit_price_mm: int = 0
    pflop_hour_mm: int | None = None
    renewable_share_ppm: int | None = None
    matched_share_ppm: int | None = None
    matched_expected_ppm: int | None = None
    grid_share_ppm: int | None = None
    carbon_free_share_ppm: int | None = None
    quality: str = ""
    carbon_mg_per_kwh: int | None = None
    latency_ms: float | None = None
    free: int | None = None
    z: int | None = None
    fit: Fit = field(default_factory=Fit)
    price_lines: tuple[PriceLine, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Offer(Record):
    """Identical units of one hardware class at one site. `rate_mm` is the price of this hour."""

    id: str
    title: str = ""
    state: str = ""
    version: int | None = None
    sample: bool = False
    tier: str = ""
    term: str = ""
    currency: str = "USD"
    units: int = 0
    notice_s: int | None = None
    boot_s: int | None = None
    network: str = ""
    reliability_ppm: int | None = None
    rate_mm: int | None = None
    provider: Provider = field(default_factory=Provider)
    site: Site = field(default_factory=Site)
    hardware: Hardware = field(default_factory=Hardware)
    match: Match | None = None


@dataclass(frozen=True, kw_only=True)
class CalendarHour(Record):
    """One hour of an offer; `quality` says sample, forecast or metered."""

    start: datetime
    unit_price_mm: int = 0
    renewable_share_ppm: int | None = None
    carbon_mg_per_kwh: int | None = None
    free: int | None = None
    quality: str = ""


@dataclass(frozen=True, kw_only=True)
class Calendar(Record):
    """An offer's coming hours."""

    offer: Offer
    hours: tuple[CalendarHour, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Place(Record):
    """A named point from which latency is counted; `slug` is what `near` takes."""

    id: str = ""
    slug: str = ""
    name: str = ""
    country: str = ""
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, kw_only=True)
class OptionWhy(Record):
    """Why a quote ranks an option here."""

    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class QuoteOption(Record):
    """One way to have what a quote asked for, at a frozen all-in price."""

    rank: int = 0
    offer: Offer
    start: datetime
    end: datetime
    units: int = 1
    total_minor: int = 0
    price_lines: tuple[PriceLine, ...] = ()
    unit_price_mm: int = 0
    pflop_hour_mm: int | None = None
    renewable_share_ppm: int | None = None
    matched_share_ppm: int | None = None
    matched_expected_ppm: int | None = None
    grid_share_ppm: int | None = None
    carbon_free_share_ppm: int | None = None
    quality: str = ""
    carbon_mg_per_kwh: int | None = None
    carbon_g: int | None = None
    promisable_percent: int = 0
    latency_ms: float | None = None
    fit: Fit = field(default_factory=Fit)
    why: OptionWhy = field(default_factory=OptionWhy)


@dataclass(frozen=True, kw_only=True)
class Quote(Record):
    """Up to five options at prices frozen until `expires_at`; only a reservation takes the capacity."""

    id: str = ""
    expires_at: datetime | None = None
    as_of: datetime | None = None
    signature: str = ""
    currency: str = ""
    options: tuple[QuoteOption, ...] = ()
    rejected: Mapping[str, int] = field(default_factory=dict)
    considered: int = 0


@dataclass(frozen=True, kw_only=True)
class Relaxation(Record):
    """A limit to loosen, the value that surely admits an offer, and how many offers it lets in."""

    limit: str = ""
    offers: int = 0
    to: Any = None
    offer: Offer | None = None
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class ScoreTerms(Record):
    """The parts of a cost in mm per PFLOP-hour."""

    price: int = 0
    latency: int = 0
    green: int = 0
    carbon: int = 0
    waiting: int = 0
    move: int = 0


@dataclass(frozen=True, kw_only=True)
class Contender(Record):
    """An offer the matcher weighed for a job, with its cost `z` (mm per PFLOP-hour, lowest wins) and its parts."""

    offer: Offer
    title: str = ""
    site: Site | None = None
    z: int = 0
    terms: ScoreTerms = field(default_factory=ScoreTerms)
    fit: Fit = field(default_factory=Fit)
    start: datetime | None = None
    total_minor: int | None = None
    difference: ScoreTerms | None = None


@dataclass(frozen=True, kw_only=True)
class Refused(Record):
    """An offer that fails a limit, and which."""

    offer: Offer
    title: str = ""
    site: Site | None = None
    limits: tuple[str, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Why(Record):
    """Why a job runs where it does, or why it does not run."""

    job: str = ""
    sentence: str = ""
    chosen: Contender | None = None
    runner_up: Contender | None = None
    others: tuple[Contender, ...] = ()
    refused: tuple[Refused, ...] = ()
    rejected: Mapping[str, int] = field(default_factory=dict)
    relax: tuple[Relaxation, ...] = ()
    considered: int = 0
    round: str = ""


@dataclass(frozen=True, kw_only=True)
class Upload(Record):
    """A file waiting to become a job's input."""

    id: str = ""
    size: int = 0
    sha256: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """Something that happened to an object; thin, so fetch the object for the rest."""

    id: str
    type: str = ""
    at: datetime | None = None
    object_id: str = ""
    state: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Agent(Record):
    """The program on a provider's machine that runs the work."""

    id: str
    name: str = ""
    state: str = ""
    engine: str = ""
    version: str = ""
    units: int | None = None
    site: Site | None = None
    silent: bool = False
    last_seen_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Organization(Record):
    """The organization a key or session acts for."""

    id: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class KeyInfo(Record):
    """The API key in use, without its secret."""

    id: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Me(Record):
    """Who the caller is, and where event streams are served."""

    email: str = ""
    organization: Organization | None = None
    roles: tuple[str, ...] = ()
    key: KeyInfo | None = None
    stream_url: str = ""
