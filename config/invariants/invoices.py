"""M15, the part of invoices: each charge and credit is on one line at most, as it is; totals and numbers add up."""

from django.utils.translation import gettext_noop as _

from config.invariants.check import Check

M15 = Check(
    id="M15",
    promise=_("a charge or credit is on one invoice at most, as it is; invoices add up and are numbered without a gap"),
    rows="SELECT count(*) FROM ledger_invoiceline",
    queries=(
        """
        SELECT l.source, '1 line', count(*)::text
        FROM ledger_invoiceline l GROUP BY l.source HAVING count(*) > 1 ORDER BY l.source
        """,
        """
        SELECT l.source, coalesce(s.amount || ' + ' || s.tax, 'a charge or credit'),
               l.amount_minor || ' + ' || l.tax_minor
        FROM ledger_invoiceline l JOIN ledger_invoice i ON i.id = l.invoice_id
        LEFT JOIN (
            SELECT charge.public_id, charge_minor AS amount, charge.tax_minor AS tax, c.buyer_id, c.currency AS asset,
                   charge.livemode
            FROM booking_chargeline charge JOIN booking_contract c ON c.id = charge.contract_id
            UNION ALL
            SELECT public_id, tax_minor - amount_minor, -tax_minor, buyer_id, asset, livemode FROM booking_servicecredit
        ) s ON s.public_id = l.source
        WHERE (l.amount_minor, l.tax_minor, i.buyer_id, i.asset, i.livemode)
              IS DISTINCT FROM (s.amount, s.tax, s.buyer_id, s.asset::varchar, s.livemode)
        ORDER BY l.id
        """,
        """
        SELECT i.public_id, coalesce(sum(l.amount_minor), 0) || ' + ' || coalesce(sum(l.tax_minor), 0),
               i.net_minor || ' + ' || i.tax_minor
        FROM ledger_invoice i LEFT JOIN ledger_invoiceline l ON l.invoice_id = i.id
        GROUP BY i.id
        HAVING (coalesce(sum(l.amount_minor), 0), coalesce(sum(l.tax_minor), 0)) <> (i.net_minor, i.tax_minor)
            OR i.total_minor <> i.net_minor + i.tax_minor OR (i.state = 'issued' AND count(l.id) = 0)
        ORDER BY i.id
        """,
        """
        SELECT s.code, 'numbers 1 to ' || s.last,
               count(i.id) || ' of them, ' || coalesce(min(i.number), 0) || ' to ' || coalesce(max(i.number), 0)
        FROM ledger_invoiceseries s LEFT JOIN ledger_invoice i ON i.series_id = s.id
        GROUP BY s.id
        HAVING (count(i.id), count(DISTINCT i.number), coalesce(max(i.number), 0)) <> (s.last, s.last, s.last)
            OR coalesce(min(i.number), 1) <> 1
        ORDER BY s.id
        """,
        """
        SELECT i.public_id, 'issued with a number, or neither', i.state || ' ' || coalesce(i.label, '')
        FROM ledger_invoice i WHERE (i.state = 'issued') <> (i.number IS NOT NULL) ORDER BY i.id
        """,
    ),
    corrupt=(
        "UPDATE ledger_invoiceline SET tax_minor = tax_minor + 1 WHERE id = (SELECT min(id) FROM ledger_invoiceline)",
    ),
)
CHECKS = (M15,)
