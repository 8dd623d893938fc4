"""What PostgreSQL itself keeps of certified energy, whoever writes.

An entry of the ledger is the one way to move a Wh: its trigger takes the range out of the spans that are in the state
it says, puts it into the new one, and counts. A statement may add many entries; a trigger looks at all of them at once.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from operator import add

import pgtrigger
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Func, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from marketplace.common.triggers import OwnersTrigger, UpdatedByTriggersAlone
from marketplace.energy.models.rules import counted_by_rows, refuse
from marketplace.energy.states import OWNED, SUPPLY

# How long an interval of each resolution may be, and how long the next finer one is at most. What crosses the start of
# a UTC hour is known by the day, however short it is.
LENGTHS = {
    "hour": (timedelta(0), timedelta(hours=1)),
    "day": (timedelta(hours=1), timedelta(hours=25)),
    "month": (timedelta(hours=25), timedelta(days=31, hours=1)),
    "year": (timedelta(days=31, hours=1), timedelta(days=366, hours=1)),
}
COUNTERS = tuple(f"{name}_wh" for name in SUPPLY)


def sum_of(fields: Iterable[str]) -> Combinable:
    """The sum of columns."""
    terms: Iterable[Combinable] = (F(name) for name in fields)
    return reduce(add, terms)


def legal_moves() -> Q:
    """(from_state, to_state) is a move of `SUPPLY`."""
    legal = Q()
    for old, onward in SUPPLY.items():
        if onward:
            legal |= Q(from_state=old, to_state__in=onward)
    return legal


class HourEnd(Func):
    """The end of the UTC hour that a moment lies in."""

    template = "(date_trunc('hour', %(expressions)s, 'UTC') + interval '1 hour')"
    output_field = DateTimeField()


def as_fine_as_it_says() -> Q:
    """The resolution is that of the interval's length: nobody widens what is known of the time."""
    length = ExpressionWrapper(F("end") - F("start"), output_field=DurationField())
    one_hour = Q(LessThanOrEqual(F("end"), HourEnd("start")))
    fits = Q(temporal_resolution="hour") & one_hour
    for name, (beyond, most) in LENGTHS.items():
        within = Q(LessThanOrEqual(length, Value(most)))
        if name == "day":
            fits |= Q(temporal_resolution=name) & within & ~one_hour
        elif name != "hour":
            fits |= Q(temporal_resolution=name) & within & Q(GreaterThan(length, Value(beyond)))
    return fits


def resolution_of(start: datetime, end: datetime) -> str | None:
    """How finely the time of [start, end) is known; None for more than a year."""
    if end <= start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1):
        return "hour"
    names = [name for name, (_, most) in LENGTHS.items() if name != "hour" and end - start <= most]
    return names[0] if names else None


def _in_sql(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _length(column: str) -> str:
    return f"upper({column}) - lower({column})"


LOT_BEGINS_AVAILABLE = pgtrigger.Trigger(
    name="certificate_lot_begins_available",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func=f"NEW.available_wh = {_length('NEW.wh_range')};"
    + "".join(f" NEW.{name} = 0;" for name in COUNTERS if name != "available_wh")
    + " RETURN NEW;",
)
LOT_IS_ONE_SPAN = OwnersTrigger(
    name="certificate_lot_is_one_span",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    referencing=pgtrigger.Referencing(new="added"),  # type: ignore[no-untyped-call]
    func="""
        INSERT INTO energy_certificatespan (lot_id, wh_range, state, subject)
        SELECT id, wh_range, 'available', '' FROM added;
        RETURN NULL;
    """,
)
LOT_COUNTED_BY_ENTRIES = counted_by_rows(
    "certificate_lot_by_entries", *COUNTERS, what="'only entries of the ledger move energy'"
)
SPAN_BY_ENTRIES = UpdatedByTriggersAlone(
    name="certificate_span_by_entries",
    level=pgtrigger.Statement,
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
    func="IF pg_trigger_depth() < 2 THEN "
    + refuse("certificate_span_by_entries", "'only entries of the ledger move energy'")
    + " END IF; RETURN NULL;",
)

DELTAS = ", ".join(
    f"sum(CASE to_state WHEN '{name}' THEN {_length('wh_range')} ELSE 0 END) - "
    f"sum(CASE from_state WHEN '{name}' THEN {_length('wh_range')} ELSE 0 END) AS {name}"
    for name in SUPPLY
)
ELSEWHERE = "'some of that energy is not in that state any more, or not for that subject'"
MOVE = f"""
    PERFORM FROM energy_certificatelot WHERE id IN (SELECT lot_id FROM added) ORDER BY id FOR UPDATE;
    whole = current_setting('enable_seqscan');
    PERFORM set_config('enable_seqscan', 'off', true);
    IF EXISTS (
        SELECT FROM added LEFT JOIN energy_certificatelot AS lot ON lot.id = added.lot_id
        WHERE lot.state IS DISTINCT FROM 'active' AND (lot.state IS DISTINCT FROM 'closed' OR from_state <> 'cancelled')
    ) THEN
        {refuse("supply_of_an_active_lot", "'only energy of an active lot moves'")}
    END IF;
    WITH touched AS MATERIALIZED (
        SELECT span.id, span.lot_id, span.state, span.subject, span.wh_range,
               range_agg(span.wh_range * added.wh_range) AS moved
        FROM added JOIN energy_certificatespan AS span
          ON span.lot_id = added.lot_id AND span.wh_range && added.wh_range AND span.state = added.from_state
         AND span.subject = CASE WHEN added.from_state IN ({_in_sql(OWNED)}) THEN added.subject ELSE '' END
        GROUP BY span.id
    ), gone AS (
        DELETE FROM energy_certificatespan WHERE id IN (SELECT id FROM touched)
    ), rest AS (
        SELECT lot_id, state, subject, unnest(int8multirange(wh_range) - moved) AS wh_range FROM touched
    )
    SELECT (SELECT sum({_length("part")}) FROM touched, unnest(touched.moved) AS part),
           array_agg(lot_id), array_agg(state), array_agg(subject), array_agg(wh_range)
    INTO taken, lots, states, subjects, ranges FROM rest;
    IF taken IS DISTINCT FROM (SELECT sum({_length("wh_range")}) FROM added) THEN
        {refuse("supply_in_the_state_it_leaves", ELSEWHERE)}
    END IF;
    INSERT INTO energy_certificatespan (lot_id, wh_range, state, subject)
    SELECT * FROM unnest(lots, ranges, states, subjects)
    UNION ALL
    SELECT lot_id, wh_range, to_state, CASE WHEN to_state IN ({_in_sql(OWNED)}) THEN subject ELSE '' END FROM added;
    IF EXISTS (SELECT FROM added WHERE to_state = 'available') THEN
        WITH gone AS (
            DELETE FROM energy_certificatespan
            WHERE state = 'available' AND lot_id IN (SELECT lot_id FROM added WHERE to_state = 'available')
            RETURNING lot_id, wh_range
        ), joined AS (SELECT lot_id, range_agg(wh_range) AS rest FROM gone GROUP BY lot_id)
        SELECT array_agg(lot_id), array_agg(part) INTO lots, ranges FROM joined, unnest(joined.rest) AS part;
        INSERT INTO energy_certificatespan (lot_id, wh_range, state, subject)
        SELECT lot_id, wh_range, 'available', '' FROM unnest(lots, ranges) AS part(lot_id, wh_range);
    END IF;
    UPDATE energy_certificatelot AS lot
    SET {", ".join(f"{name}_wh = lot.{name}_wh + moved.{name}" for name in SUPPLY)}
    FROM (SELECT lot_id, {DELTAS} FROM added GROUP BY lot_id) AS moved
    WHERE lot.id = moved.lot_id;
    PERFORM set_config('enable_seqscan', whole, true);
    RETURN NULL;
"""  # noqa: S608  # words of this module
ENTRY_MOVES_WH = OwnersTrigger(
    name="supply_entry_moves_wh",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    referencing=pgtrigger.Referencing(new="added"),  # type: ignore[no-untyped-call]
    declare=[
        ("whole", "text"), ("taken", "numeric"), ("lots", "bigint[]"), ("states", "text[]"), ("subjects", "text[]"),
        ("ranges", "int8range[]"),
    ],
    func=MOVE,
)  # fmt: skip


def _counted(sign: str, where: str, table: str) -> str:
    return f"""
        UPDATE energy_usehour AS use
        SET matched_wh = use.matched_wh {sign} moved.matched, volume_wh = use.volume_wh {sign} moved.volume
        FROM (
            SELECT use_hour_id, sum(CASE WHEN volume THEN 0 ELSE {_length("wh_range")} END) AS matched,
                   sum(CASE WHEN volume THEN {_length("wh_range")} ELSE 0 END) AS volume
            FROM {table} WHERE {where} GROUP BY use_hour_id
        ) AS moved WHERE use.id = moved.use_hour_id;
        RETURN NULL;
    """  # noqa: S608  # words of this module


LINES_MATCH = OwnersTrigger(
    name="match_lines_match",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    referencing=pgtrigger.Referencing(new="added"),  # type: ignore[no-untyped-call]
    func=_counted("+", "live", "added"),
)
ENDED_LINES_MATCH_NO_MORE = OwnersTrigger(
    name="ended_match_lines_match_no_more",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Update,
    referencing=pgtrigger.Referencing(new="ended"),  # type: ignore[no-untyped-call]
    func=_counted("-", "NOT live", "ended"),
)
