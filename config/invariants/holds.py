"""M6, M7, M9, M12, M13, M14: holds, budgets, charges, credits, worked out again from use and frozen contracts."""
# ruff: noqa: S608  # the queries are put together from words of this module, nothing typed by anybody

from django.utils.translation import gettext_noop as _

from config.invariants.check import Check

HOLDS = "SELECT count(*) FROM ledger_hold"
LINES = "SELECT count(*) FROM booking_chargeline"

M6 = Check(
    id="M6",
    promise=_("no hold gives more than it has, and what is left of an organization's holds is what its books hold"),
    rows=HOLDS,
    queries=(
        """
        SELECT public_id, 'captured and released of ' || amount, captured || ' + ' || released FROM ledger_hold
        WHERE least(captured, released) < 0 OR captured + released > amount ORDER BY id
        """,
        """
        SELECT owner_id || ' ' || asset || ' ' || livemode, sum(held)::text, sum(booked)::text FROM (
            SELECT organization_id AS owner_id, asset, livemode, amount - captured - released AS held, 0 AS booked
            FROM ledger_hold
            UNION ALL
            SELECT owner_id, asset, livemode, 0, balance FROM ledger_account WHERE kind = 'buyer_held'
        ) AS side GROUP BY owner_id, asset, livemode HAVING sum(held) <> sum(booked)
        """,
        """
        SELECT h.public_id, h.captured || ' and ' || h.released, coalesce(sum(-e.amount), 0)::text
        FROM ledger_hold h
        LEFT JOIN ledger_journal j ON j.kind = 'release' AND j.ref LIKE h.public_id || ':%%'
        LEFT JOIN ledger_entry e ON e.journal_id = j.id AND e.amount < 0
        GROUP BY h.id HAVING h.released <> coalesce(sum(-e.amount), 0) ORDER BY h.id
        """,
    ),
    corrupt=("UPDATE ledger_hold SET released = released + 1 WHERE id = (SELECT min(id) FROM ledger_hold "
             "WHERE state = 'open')",),
)  # fmt: skip

# Of each contract that was charged: the hours it promises, and of each the unit-seconds that its paid attempts used.
USED = """
    WITH hour AS (
        SELECT c.id, c.units, h.rate + c.electricity_mm AS rate, h.seconds * c.units AS promised,
               date_trunc('hour', c.start, 'UTC') + (h.n - 1) * interval '1 hour' AS begin,
               CASE WHEN h.n = cardinality(c.rate_mm) THEN 'infinity'::timestamptz
                    ELSE date_trunc('hour', c.start, 'UTC') + h.n * interval '1 hour' END AS beyond
        FROM booking_contract c CROSS JOIN unnest(c.rate_mm, c.seconds) WITH ORDINALITY AS h(rate, seconds, n)
        WHERE EXISTS (SELECT FROM booking_chargeline l WHERE l.contract_id = c.id)
    ), used AS (
        SELECT hour.id, hour.rate, hour.promised, least(hour.promised, coalesce((
            SELECT sum(extract(epoch FROM least(upper(u.during), hour.beyond) - greatest(lower(u.during), hour.begin))
                       * u.units)
            FROM booking_usagerecord u
            WHERE u.contract_id = hour.id AND u.flagged = '' AND upper(u.during) > hour.begin
              AND lower(u.during) < hour.beyond
              AND u.attempt IN (SELECT attempt FROM booking_chargeline l WHERE l.contract_id = hour.id)
        ), 0)) AS used
        FROM hour
    ), charged AS (
        SELECT contract_id, sum(charge_minor) AS charge, sum(tax_minor) AS tax, bool_or(idle) AS idle
        FROM booking_chargeline GROUP BY contract_id
    ), due AS (
        SELECT c.id, c.public_id, c.tax_bp, charged.charge, charged.tax, (
            SELECT sum((line->>'amount_minor')::bigint) FROM jsonb_array_elements(c.price_lines) AS line
            WHERE line->>'code' <> 'tax'
        ) AS whole,
        sum(used.rate * used.promised) AS promised,
        sum(used.rate * (used.used + CASE WHEN charged.idle
            THEN (used.promised - used.used) * coalesce((c.terms->>'idle_bp')::numeric, 0) / 10000 ELSE 0 END)) AS used
        FROM booking_contract c JOIN charged ON charged.contract_id = c.id JOIN used ON used.id = c.id
        GROUP BY c.id, charged.charge, charged.tax
    )
"""
M7 = Check(
    id="M7",
    promise=_("no contract is charged more than its price for what was metered, nor more tax than that bears"),
    rows=LINES,
    queries=(
        USED
        + """
        SELECT public_id, 'at most ' || floor(whole * used / greatest(promised, 1)), charge::text FROM due
        WHERE charge > floor(whole * used / greatest(promised, 1)) ORDER BY id
        """,
        USED + "SELECT public_id, 'tax at most ' || charge * tax_bp / 10000, tax::text FROM due "
        "WHERE tax > charge * tax_bp / 10000 ORDER BY id",
    ),
    corrupt=(
        "UPDATE booking_chargeline SET charge_minor = charge_minor + 10000, provider_minor = provider_minor + 10000 "
        "WHERE id = (SELECT min(id) FROM booking_chargeline)",
    ),
)
M9 = Check(
    id="M9",
    promise=_("market and provider share each charge whole, and the books captured just that"),
    rows=LINES,
    queries=(
        """
        SELECT public_id, charge_minor::text, fee_minor || ' + ' || provider_minor FROM booking_chargeline
        WHERE charge_minor <> fee_minor + provider_minor ORDER BY id
        """,
        """
        SELECT l.public_id, l.charge_minor + l.tax_minor, coalesce(sum(e.amount), 0)
        FROM booking_chargeline l JOIN booking_contract c ON c.id = l.contract_id
        LEFT JOIN ledger_journal j ON j.book = 'money' AND j.kind = 'capture'
             AND j.ref = c.public_id || ':' || l.meter || ':' || l.seq
        LEFT JOIN ledger_entry e ON e.journal_id = j.id AND e.amount > 0
        GROUP BY l.id HAVING l.charge_minor + l.tax_minor <> coalesce(sum(e.amount), 0) ORDER BY l.id
        """,
    ),
    corrupt=(
        "ALTER TABLE booking_chargeline DROP CONSTRAINT charge_line_is_shared_whole",
        "UPDATE booking_chargeline SET fee_minor = fee_minor + 1 WHERE id = (SELECT min(id) FROM booking_chargeline)",
    ),
)
M12 = Check(
    id="M12",
    promise=_("what has not matured of a provider's lines is what its books have pending"),
    rows=LINES,
    queries=(
        """
        SELECT owner_id || ' ' || asset || ' ' || livemode, sum(waiting)::text, sum(booked)::text FROM (
            SELECT c.provider_id AS owner_id, c.currency AS asset, l.livemode, l.pending_left AS waiting, 0 AS booked
            FROM booking_chargeline l JOIN booking_contract c ON c.id = l.contract_id
            UNION ALL
            SELECT owner_id, asset, livemode, 0, balance FROM ledger_account WHERE kind = 'provider_pending'
        ) AS side GROUP BY owner_id, asset, livemode HAVING sum(waiting) <> sum(booked)
        """,
    ),
    corrupt=(
        "ALTER TABLE booking_chargeline DROP CONSTRAINT charge_line_rest_is_of_it",
        "UPDATE booking_chargeline SET pending_left = pending_left + 1 "
        "WHERE id = (SELECT min(id) FROM booking_chargeline)",
    ),
)
M13 = Check(
    id="M13",
    promise=_("a service credit is shared whole and in the books once; a job that ended is settled and holds nothing"),
    rows="SELECT (SELECT count(*) FROM booking_servicecredit) + (SELECT count(*) FROM booking_settlement)",
    queries=(
        """
        SELECT c.public_id, c.amount_minor::text, coalesce(sum(-e.amount), 0)::text
        FROM booking_servicecredit c
        LEFT JOIN ledger_journal j ON j.book = 'money' AND j.kind IN ('sla_credit', 'goodwill') AND j.ref = c.public_id
        LEFT JOIN ledger_entry e ON e.journal_id = j.id AND e.amount < 0
        GROUP BY c.id HAVING c.amount_minor <> coalesce(sum(-e.amount), 0) ORDER BY c.id
        """,
        """
        SELECT j.public_id, 'nothing held', h.public_id FROM scheduler_job j
        JOIN ledger_hold h ON h.subject = j.public_id AND h.state = 'open'
        WHERE j.state IN ('succeeded', 'failed', 'cancelled', 'expired') ORDER BY j.id
        """,
        """
        SELECT s.job, s.charged_minor || ' and ' || s.released_minor, sum(h.captured) || ' and ' || sum(h.released)
        FROM booking_settlement s JOIN ledger_hold h ON h.subject = s.job
        GROUP BY s.id HAVING (s.charged_minor, s.released_minor) <> (sum(h.captured), sum(h.released)) ORDER BY s.id
        """,
    ),
    corrupt=(
        "UPDATE booking_settlement SET charged_minor = charged_minor + 1 "
        "WHERE id = (SELECT min(id) FROM booking_settlement)",
    ),
)
M14 = Check(
    id="M14",
    promise=_("what counts in a budget is what its holds hold and were charged, within its limit"),
    rows="SELECT count(*) FROM ledger_budgetperiod",
    queries=(
        """
        SELECT b.public_id || ' ' || p.start, 'at most ' || p.limit_minor, p.held || ' + ' || p.spent
        FROM ledger_budgetperiod p JOIN ledger_budget b ON b.id = p.budget_id
        WHERE p.held + p.spent > p.limit_minor OR least(p.held, p.spent) < 0 ORDER BY p.id
        """,
        """
        SELECT b.public_id || ' ' || p.start,
               coalesce(sum(h.amount - h.captured - h.released), 0) || ' and ' || coalesce(sum(h.captured), 0),
               p.held || ' and ' || p.spent
        FROM ledger_budgetperiod p JOIN ledger_budget b ON b.id = p.budget_id
        LEFT JOIN ledger_budgetuse u ON u.period_id = p.id LEFT JOIN ledger_hold h ON h.id = u.hold_id
        GROUP BY p.id, b.public_id
        HAVING (p.held, p.spent) <> (coalesce(sum(h.amount - h.captured - h.released), 0), coalesce(sum(h.captured), 0))
        ORDER BY p.id
        """,
    ),
    corrupt=("UPDATE ledger_budgetperiod SET held = held + 1 WHERE id = (SELECT min(id) FROM ledger_budgetperiod)",),
)
CHECKS = (M6, M7, M9, M12, M13, M14)
