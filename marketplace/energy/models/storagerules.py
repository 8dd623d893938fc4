"""What PostgreSQL itself keeps of stores: what comes out went in before, and no more of it than the store gives."""

import pgtrigger

from marketplace.energy.models.rules import refuse

WITHIN = """
    SELECT range_agg(moved.wh_range) FROM energy_supplyentry AS moved
    WHERE moved.lot_id = added.lot_id AND moved.to_state = 'stored' AND moved.subject = store.public_id
"""
DRAWS_OF_WHAT_WAS_STORED = pgtrigger.Trigger(
    name="storage_draws_of_what_was_stored",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    referencing=pgtrigger.Referencing(new="added"),  # type: ignore[no-untyped-call]
    func=f"""
        IF EXISTS (
            SELECT FROM added
            JOIN energy_issuance AS given ON given.id = added.issuance_id
            LEFT JOIN energy_energysource AS store ON store.id = given.source_id
            JOIN energy_certificatelot AS lot ON lot.id = added.lot_id
            JOIN energy_issuance AS charged ON charged.id = lot.issuance_id
            WHERE store.id IS NULL OR given.release <> 'storage' OR charged."end" > given.start
               OR NOT coalesce(({WITHIN}) @> added.wh_range, false)
        ) THEN
            {refuse("storage_draws_of_what_was_stored", "'only what was put into the store before comes out of it'")}
        END IF;
        RETURN NULL;
    """,
)
STORAGE_GIVES_WHAT_WENT_IN = pgtrigger.Trigger(
    name="storage_gives_what_went_in",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    referencing=pgtrigger.Referencing(new="added"),  # type: ignore[no-untyped-call]
    func=f"""
        IF EXISTS (
            SELECT FROM energy_issuance AS given LEFT JOIN energy_energysource AS store ON store.id = given.source_id
            WHERE given.id IN (SELECT issuance_id FROM added) AND given.release = 'storage' AND given.scheme = 'METER'
              AND (SELECT sum(upper(wh_range) - lower(wh_range)) FROM energy_certificatelot
                   WHERE issuance_id = given.id)
                  > coalesce((SELECT sum(upper(wh_range) - lower(wh_range)) FROM energy_storagedraw
                              WHERE issuance_id = given.id) * store.efficiency_ppm / 1000000, 0)
        ) THEN
            {refuse("storage_gives_what_went_in", "'a store gives no more than its efficiency leaves of what went in'")}
        END IF;
        RETURN NULL;
    """,  # noqa: S608  # words of this module
)
