"""A share hour counts its promises: whoever adds or takes away one changes the sum, and no sum exceeds the output."""

import pgtrigger

from marketplace.common.triggers import OwnersTrigger

COUNT = """
    PERFORM FROM energy_sharehour WHERE id IN (SELECT share_hour_id FROM {rows}) ORDER BY id FOR UPDATE;
    UPDATE energy_sharehour AS hour SET promised_ppm = hour.promised_ppm {sign} moved.ppm
    FROM (SELECT share_hour_id, sum(ppm) AS ppm FROM {rows} GROUP BY share_hour_id) AS moved
    WHERE hour.id = moved.share_hour_id;
    RETURN NULL;
"""
HOURS_TAKE = OwnersTrigger(
    name="promise_hours_take",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    referencing=pgtrigger.Referencing(new="added"),  # type: ignore[no-untyped-call]
    func=COUNT.format(rows="added", sign="+"),
)
HOURS_GIVE_BACK = OwnersTrigger(
    name="promise_hours_give_back",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Delete,
    referencing=pgtrigger.Referencing(old="gone"),  # type: ignore[no-untyped-call]
    func=COUNT.format(rows="gone", sign="-"),
)
