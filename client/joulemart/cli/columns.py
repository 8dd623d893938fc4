"""The columns of each list."""

from datetime import datetime

from ..calls import rfc3339
from ..jobs import Job, Output
from ..objects import Agent, Match, Offer, Quote, QuoteOption
from ..reservation_objects import Reservation, SoldReservation
from . import figures
from .tables import Column


def iso(moment: datetime | None) -> str | None:
    """A time for programs."""
    return None if moment is None else rfc3339(moment)


def _match(offer: Offer) -> Match:
    return offer.match or Match()


def priced(now: datetime) -> list[Column[Offer]]:
    """Columns of offers matched to a need."""
    return [
        Column("letter", lambda o: _match(o).letter),
        Column("id", lambda o: o.id),
        Column("hardware", hardware_of),
        Column("start", lambda o: iso(_match(o).start), lambda o: figures.when(_match(o).start, now)),
        Column("total_minor", lambda o: _match(o).total_minor, _total, right=True),
        Column("unit_price_mm", lambda o: _match(o).unit_price_mm, _unit_price, right=True),
        Column("pflop_hour_mm", lambda o: _match(o).pflop_hour_mm, _pflop_price, right=True),
        Column("renewable_share_ppm", lambda o: _match(o).renewable_share_ppm, _share, right=True),
        Column("carbon_mg_per_kwh", lambda o: _match(o).carbon_mg_per_kwh, _carbon, right=True),
        Column("latency_ms", lambda o: _match(o).latency_ms, _latency, right=True),
    ]


def hardware_of(offer: Offer) -> str:
    """What an offer is, as shortly as it can be said."""
    return offer.hardware.accelerator or offer.title or offer.hardware.slug or offer.id


def place_of(offer: Offer) -> str:
    """Where an offer is: its site, else its title."""
    return offer.site.name or offer.title or offer.id


def _total(offer: Offer) -> str:
    return figures.money(_match(offer).total_minor, offer.currency)


def _unit_price(offer: Offer) -> str:
    return figures.rate(_match(offer).unit_price_mm, offer.currency, "unit-h")


def _pflop_price(offer: Offer) -> str:
    return figures.rate(_match(offer).pflop_hour_mm, offer.currency, "PFLOP-h")


def _share(offer: Offer) -> str:
    return figures.share(_match(offer).renewable_share_ppm)


def _carbon(offer: Offer) -> str:
    return figures.carbon(_match(offer).carbon_mg_per_kwh)


def _latency(offer: Offer) -> str:
    return figures.latency(_match(offer).latency_ms)


def options(currency: str, now: datetime) -> list[Column[QuoteOption]]:
    """Columns of a quote's options."""
    return [
        Column("rank", lambda o: o.rank),
        Column("offer", lambda o: o.offer.id),
        Column("hardware", lambda o: hardware_of(o.offer)),
        Column("start", lambda o: iso(o.start), lambda o: figures.when(o.start, now)),
        Column("total_minor", lambda o: o.total_minor, lambda o: figures.money(o.total_minor, currency), True),
        Column(
            "unit_price_mm",
            lambda o: o.unit_price_mm,
            lambda o: figures.rate(o.unit_price_mm, currency, "unit-h"),
            True,
        ),
        Column(
            "pflop_hour_mm",
            lambda o: o.pflop_hour_mm,
            lambda o: figures.rate(o.pflop_hour_mm, currency, "PFLOP-h"),
            True,
        ),
        Column(
            "renewable_share_ppm", lambda o: o.renewable_share_ppm, lambda o: figures.share(o.renewable_share_ppm), True
        ),
        Column("carbon_mg_per_kwh", lambda o: o.carbon_mg_per_kwh, lambda o: figures.carbon(o.carbon_mg_per_kwh), True),
        Column("latency_ms", lambda o: o.latency_ms, lambda o: figures.latency(o.latency_ms), True),
    ]


def quotes() -> list[Column[Quote]]:
    """Columns of a quote, with its best option."""
    return [
        Column("id", lambda q: q.id),
        Column("expires_at", lambda q: iso(q.expires_at)),
        Column("currency", currency_of),
        Column("offer", lambda q: q.options[0].offer.id if q.options else None),
        Column("start", lambda q: iso(q.options[0].start) if q.options else None),
        Column("end", lambda q: iso(q.options[0].end) if q.options else None),
        Column("total_minor", lambda q: q.options[0].total_minor if q.options else None),
    ]


def currency_of(quote: Quote) -> str:
    """The currency of a quote, its own or its offers'."""
    return quote.currency or (quote.options[0].offer.currency if quote.options else "USD")


def reservations(now: datetime) -> list[Column[Reservation]]:
    """Columns of reservations."""
    return [
        Column("id", lambda r: r.id),
        Column("state", lambda r: r.state),
        Column("where", lambda r: r.site.name if r.site else "", reserved_where),
        Column("start", lambda r: iso(r.start), lambda r: figures.window(r.start, r.end, now)),
        Column("end", lambda r: iso(r.end), lambda r: figures.duration(int((r.end - r.start).total_seconds()))),
        Column("units", lambda r: r.units, lambda r: units(r.units), True),
        Column("total_minor", lambda r: r.total_minor, lambda r: figures.money(r.total_minor, r.currency), True),
    ]


def sold(now: datetime) -> list[Column[SoldReservation]]:
    """Columns of what a provider has promised."""
    return [
        Column("id", lambda r: r.id),
        Column("state", lambda r: r.state),
        Column("offer", lambda r: r.offer.title if r.offer else ""),
        Column("start", lambda r: iso(r.start), lambda r: figures.window(r.start, r.end, now)),
        Column("end", lambda r: iso(r.end), lambda r: figures.duration(int((r.end - r.start).total_seconds()))),
        Column("units", lambda r: r.units, lambda r: units(r.units), True),
    ]


def reserved_where(reservation: Reservation) -> str:
    """The site of a reservation by name, else its offer."""
    if reservation.site and reservation.site.name:
        return reservation.site.name
    return place_of(reservation.offer) if reservation.offer else figures.UNKNOWN


def units(count: int) -> str:
    """`1 unit`, `8 units`."""
    return f"{count} {'unit' if count == 1 else 'units'}"


def jobs(now: datetime) -> list[Column[Job]]:
    """Columns of jobs: what a list tells of each."""
    return [
        Column("id", lambda j: j.id),
        Column("name", lambda j: j.name),
        Column("state", lambda j: j.state),
        Column("site", lambda j: site_of(j) or None),
        Column("units", lambda j: j.units, lambda j: units(j.units), right=True),
        Column("started_at", lambda j: iso(j.started_at), lambda j: _ran(j, now), right=True),
        Column("created_at", lambda j: iso(j.created_at), lambda j: figures.when(j.created_at, now)),
    ]


def _ran(job: Job, now: datetime) -> str:
    if job.started_at is None:
        return figures.UNKNOWN
    return figures.duration(((job.finished_at or now) - job.started_at).total_seconds())


def site_of(job: Job) -> str:
    """The name of the site a job was given, empty before."""
    site = job.allocation.site if job.allocation else job.site
    return (site.name or site.id) if site else ""


def outputs() -> list[Column[Output]]:
    """Columns of a job's files."""
    return [
        Column("path", lambda o: o.path),
        Column("size", lambda o: o.size, lambda o: figures.size(o.size), True),
        Column("sha256", lambda o: o.sha256, lambda o: f"sha256 {o.sha256[:12]}…"),
    ]


def own_offers() -> list[Column[Offer]]:
    """Columns of a provider's own offers."""
    return [
        Column("id", lambda o: o.id),
        Column("state", lambda o: o.state),
        Column("title", lambda o: o.title or hardware_of(o)),
        Column("site", lambda o: o.site.name or None),
        Column("units", lambda o: o.units, lambda o: units(o.units), True),
        Column("rate_mm", lambda o: o.rate_mm, lambda o: figures.rate(o.rate_mm, o.currency, "unit-h"), True),
        Column("tier", lambda o: o.tier),
        Column("version", lambda o: o.version, lambda o: f"version {o.version}"),
    ]


def agents(now: datetime) -> list[Column[Agent]]:
    """Columns of agents."""
    return [
        Column("id", lambda a: a.id),
        Column("name", lambda a: a.name),
        Column("state", lambda a: a.state or ("silent" if a.silent else "online")),
        Column("site", lambda a: a.site.name or a.site.id if a.site else None),
        Column("units", lambda a: a.units, lambda a: figures.UNKNOWN if a.units is None else units(a.units), True),
        Column("engine", lambda a: a.engine),
        Column("version", lambda a: a.version),
        Column("last_seen_at", lambda a: iso(a.last_seen_at), lambda a: figures.when(a.last_seen_at, now)),
    ]
