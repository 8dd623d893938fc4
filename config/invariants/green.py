"""G1, G2: each certified Wh is in one state and used once; no use, plant, meter or share is counted beyond itself."""
# ruff: noqa: S608  # the queries are put together from words of this module, nothing typed by anybody

from django.utils.translation import gettext_noop as _

from config.invariants.check import Check

STATES = ("available", "reserved", "cancelled", "stored", "exported", "expired", "withdrawn")
OWNED = "('reserved', 'cancelled')"
MEASURED = "('onsite', 'ppa_physical', 'ppa_virtual', 'storage')"
HOUR = """to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"Z"')"""


def _wh(column: str) -> str:
    return f"(upper({column}) - lower({column}))"


TILES = f"""
    SELECT l.public_id, l.wh_range || ', each Wh once', coalesce(s.tiles::text, 'none') || ', ' || coalesce(s.wh, 0)
    FROM energy_certificatelot l LEFT JOIN (
        SELECT lot_id, range_agg(wh_range) AS tiles, sum({_wh("wh_range")}) AS wh
        FROM energy_certificatespan GROUP BY lot_id
    ) s ON s.lot_id = l.id
    WHERE s.tiles IS DISTINCT FROM int8multirange(l.wh_range) OR s.wh IS DISTINCT FROM {_wh("l.wh_range")}
    ORDER BY l.id
"""
COUNTERS = f"""
    SELECT l.public_id || ' ' || c.state, coalesce(s.wh, 0), c.wh
    FROM energy_certificatelot l
    CROSS JOIN LATERAL (VALUES {", ".join(f"('{state}', l.{state}_wh)" for state in STATES)}) AS c(state, wh)
    LEFT JOIN (
        SELECT lot_id, state, sum({_wh("wh_range")}) AS wh FROM energy_certificatespan GROUP BY lot_id, state
    ) s ON s.lot_id = l.id AND s.state = c.state
    WHERE c.wh <> coalesce(s.wh, 0) ORDER BY l.id
"""
ENTRIES = f"""
    WITH moved AS (
        SELECT lot_id, to_state AS state, CASE WHEN to_state IN {OWNED} THEN subject ELSE '' END AS subject,
               {_wh("wh_range")} AS wh FROM energy_supplyentry
        UNION ALL
        SELECT lot_id, from_state, CASE WHEN from_state IN {OWNED} THEN subject ELSE '' END, -{_wh("wh_range")}
        FROM energy_supplyentry
        UNION ALL
        SELECT id, 'available', '', {_wh("wh_range")} FROM energy_certificatelot
    ), told AS (
        SELECT lot_id, state, subject, sum(wh) AS wh FROM moved GROUP BY lot_id, state, subject HAVING sum(wh) <> 0
    ), there AS (
        SELECT lot_id, state, subject, sum({_wh("wh_range")}) AS wh
        FROM energy_certificatespan GROUP BY lot_id, state, subject
    )
    SELECT l.public_id || ' ' || m.state || ' ' || m.subject, coalesce(m.told, 0), coalesce(m.there, 0)
    FROM (
        SELECT lot_id, state, subject, told.wh AS told, there.wh AS there
        FROM told FULL JOIN there USING (lot_id, state, subject)
    ) m JOIN energy_certificatelot l ON l.id = m.lot_id
    WHERE m.told IS DISTINCT FROM m.there ORDER BY l.id
"""
ISSUED = f"""
    SELECT public_id, {_wh("wh_range")}, {" + ".join(f"{state}_wh" for state in STATES)}
    FROM energy_certificatelot WHERE {_wh("wh_range")} <> {" + ".join(f"{state}_wh" for state in STATES)} ORDER BY id
"""


def _once(key: str, what: str, table: str, group: str, where: str) -> str:
    """Groups of ranges of `table` in which some Wh is twice."""
    return f"""
        SELECT {key} || ' {what}', sum({_wh("part")}) || ' Wh, each once', sum(g.wh) / count(*)
        FROM (
            SELECT {group} AS id, range_agg(wh_range) AS tiles, sum({_wh("wh_range")}) AS wh
            FROM {table} WHERE {where} GROUP BY {group}
        ) g CROSS JOIN LATERAL unnest(g.tiles) AS part
        GROUP BY g.id HAVING sum({_wh("part")}) <> sum(g.wh) / count(*) ORDER BY g.id
    """


G1 = Check(
    id="G1",
    promise=_("each certified Wh is in exactly one state, as the entries of the ledger say, and cancelled once"),
    rows="SELECT (SELECT count(*) FROM energy_certificatelot) + (SELECT count(*) FROM energy_supplyentry)",
    queries=(
        TILES, COUNTERS, ENTRIES, ISSUED,
        _once("'lot ' || g.id", "cancelled", "energy_supplyentry", "lot_id", "to_state = 'cancelled'"),
        _once("'issuance ' || g.id", "held", "energy_certificatelot", "issuance_id", "state <> 'refused'"),
        _once("'lot ' || g.id", "drawn from a store", "energy_storagedraw", "lot_id", "true"),
    ),
    corrupt=(
        "UPDATE energy_certificatelot SET available_wh = available_wh - 1, expired_wh = expired_wh + 1 "
        "WHERE id = (SELECT min(id) FROM energy_certificatelot WHERE available_wh > 0)",
    ),
)  # fmt: skip

USES = f"""
    SELECT u.subject || ' ' || {HOUR.format("u.start")},
           coalesce(m.matched, 0) || ' + ' || coalesce(m.volume, 0) || ' of at most ' || u.site_wh,
           u.matched_wh || ' + ' || u.volume_wh
    FROM energy_usehour u LEFT JOIN (
        SELECT use_hour_id, coalesce(sum({_wh("wh_range")}) FILTER (WHERE NOT volume), 0) AS matched,
               coalesce(sum({_wh("wh_range")}) FILTER (WHERE volume), 0) AS volume
        FROM energy_matchline WHERE live GROUP BY use_hour_id
    ) m ON m.use_hour_id = u.id
    WHERE (u.matched_wh, u.volume_wh) <> (coalesce(m.matched, 0), coalesce(m.volume, 0))
       OR u.matched_wh + u.volume_wh > u.site_wh OR u.it_wh > u.site_wh ORDER BY u.id
"""
LINES = f"""
    SELECT 'line ' || n.id || ' of ' || u.subject, {_wh("n.wh_range")} || ' Wh set aside for it',
           coalesce(sum({_wh("(s.wh_range * n.wh_range)")}), 0)
    FROM energy_matchline n JOIN energy_usehour u ON u.id = n.use_hour_id
    LEFT JOIN energy_certificatespan s ON s.lot_id = n.lot_id AND s.wh_range && n.wh_range
        AND s.state IN {OWNED} AND s.subject = u.subject
    WHERE n.live GROUP BY n.id, u.id
    HAVING coalesce(sum({_wh("(s.wh_range * n.wh_range)")}), 0) <> {_wh("n.wh_range")} ORDER BY n.id
"""
PLACES = f"""
    SELECT 'line ' || n.id || ' of ' || u.subject, 'energy for that point, of its hour: ' || {HOUR.format("u.start")},
           i.temporal_resolution || ' from ' || {HOUR.format("i.start")}
    FROM energy_matchline n JOIN energy_usehour u ON u.id = n.use_hour_id
    JOIN energy_certificatelot l ON l.id = n.lot_id JOIN energy_issuance i ON i.id = l.issuance_id
    WHERE n.live AND (
        l.point_id IS DISTINCT FROM u.point_id OR n.volume = (i.temporal_resolution = 'hour')
        OR NOT n.volume AND (i.start < u.start OR i."end" > u.start + interval '1 hour')
        OR n.volume AND NOT (i.start <= u.start AND u.start < i."end")
    ) ORDER BY n.id
"""
CLAIMS = f"""
    WITH held AS (
        SELECT i.source_id, date_trunc('hour', i.start, 'UTC') AS start, sum({_wh("l.wh_range")}) AS wh
        FROM energy_issuance i JOIN energy_energysource p ON p.id = i.source_id AND p.kind IN {MEASURED}
        JOIN energy_certificatelot l ON l.issuance_id = i.id AND l.state <> 'refused'
        GROUP BY 1, 2
    )
    SELECT p.device_id || ' ' || {HOUR.format("start")},
           'claimed ' || coalesce(held.wh, 0) || ', made at least that',
           'claimed ' || coalesce(g.claimed_wh, 0) || ' of ' || coalesce(g.wh, 0) || ' ' || coalesce(g.quality, '')
    FROM held FULL JOIN energy_generationhour g USING (source_id, start)
    JOIN energy_energysource p ON p.id = source_id
    WHERE coalesce(held.wh, 0) <> coalesce(g.claimed_wh, 0) OR g.claimed_wh > g.wh
       OR g.claimed_wh > 0 AND g.quality <> 'metered' ORDER BY source_id, start
"""
POINTS = f"""
    SELECT p.code || ' ' || {HOUR.format("h.start")}, coalesce(sum(u.site_wh), 0) || ' of at most ' || h.total_wh,
           h.attributed_wh
    FROM energy_pointhour h JOIN energy_meterpoint p ON p.id = h.point_id
    LEFT JOIN energy_usehour u ON u.point_id = h.point_id AND u.start = h.start AND u.settled_at IS NOT NULL
    GROUP BY h.id, p.id HAVING coalesce(sum(u.site_wh), 0) <> h.attributed_wh OR h.attributed_wh > h.total_wh
    ORDER BY h.id
"""
SHARES = f"""
    SELECT 'share ' || h.share_id || ' ' || {HOUR.format("h.start")},
           coalesce(sum(p.ppm), 0) || ' of at most 1000000', h.promised_ppm
    FROM energy_sharehour h LEFT JOIN energy_promisehour p ON p.share_hour_id = h.id
    GROUP BY h.id HAVING coalesce(sum(p.ppm), 0) <> h.promised_ppm OR h.promised_ppm > 1000000 ORDER BY h.id
"""
STORES = f"""
    SELECT i.issuance_id, 'at most ' || coalesce(d.wh, 0) * coalesce(p.efficiency_ppm, 0) / 1000000,
           sum({_wh("l.wh_range")})
    FROM energy_issuance i LEFT JOIN energy_energysource p ON p.id = i.source_id
    JOIN energy_certificatelot l ON l.issuance_id = i.id AND l.state <> 'refused'
    LEFT JOIN (
        SELECT issuance_id, sum({_wh("wh_range")})::bigint AS wh FROM energy_storagedraw GROUP BY issuance_id
    ) d ON d.issuance_id = i.id
    WHERE i.scheme = 'METER' AND i.release = 'storage' GROUP BY i.id, d.wh, p.efficiency_ppm
    HAVING sum({_wh("l.wh_range")}) * 1000000 > coalesce(d.wh, 0) * coalesce(p.efficiency_ppm, 0) ORDER BY i.id
"""
DRAWN = f"""
    SELECT 'draw ' || d.id, 'stored Wh of an hour before ' || {HOUR.format("o.start")},
           {HOUR.format("i.start")} || ', ' || coalesce(sum({_wh("(s.wh_range * d.wh_range)")}), 0) || ' Wh stored'
    FROM energy_storagedraw d JOIN energy_issuance o ON o.id = d.issuance_id
    JOIN energy_certificatelot l ON l.id = d.lot_id JOIN energy_issuance i ON i.id = l.issuance_id
    LEFT JOIN energy_certificatespan s ON s.lot_id = d.lot_id AND s.state = 'stored' AND s.wh_range && d.wh_range
    GROUP BY d.id, o.id, i.id
    HAVING i."end" > o.start OR coalesce(sum({_wh("(s.wh_range * d.wh_range)")}), 0) <> {_wh("d.wh_range")}
    ORDER BY d.id
"""

G2 = Check(
    id="G2",
    promise=_("matched within use, claimed within generation, given out within the meter, promised within the share"),
    rows="SELECT (SELECT count(*) FROM energy_usehour) + (SELECT count(*) FROM energy_generationhour)",
    queries=(
        USES, LINES, PLACES, CLAIMS, POINTS, SHARES, STORES, DRAWN,
        _once("'lot ' || g.id", "matched", "energy_matchline", "lot_id", "live"),
    ),
    corrupt=(
        "UPDATE energy_usehour SET matched_wh = matched_wh - 1 "
        "WHERE id = (SELECT min(id) FROM energy_usehour WHERE matched_wh > 0)",
    ),
)  # fmt: skip

CHECKS = (G1, G2)
