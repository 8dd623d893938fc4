"""Who may say that evidence holds: never a member of the organization that it is evidence of."""

import pgtrigger

from marketplace.energy.models.rules import refuse

MEMBER = "EXISTS (SELECT FROM accounts_membership WHERE organization_id = NEW.{owner} AND user_id = NEW.{by})"
LOT_REVIEWED_FROM_OUTSIDE = pgtrigger.Trigger(
    name="certificate_lot_reviewed_from_outside",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition("OLD.state = 'pending' AND NEW.state = 'active'"),
    func=f"IF NEW.reviewed_by_id IS NULL OR {MEMBER.format(owner='holder_id', by='reviewed_by_id')} THEN "
    + refuse("certificate_lot_reviewed_from_outside", "'a lot is accepted by somebody outside its holder'")
    + " END IF; RETURN NEW;",
)
SOURCE_VERIFIED_FROM_OUTSIDE = pgtrigger.Trigger(
    name="energy_source_verified_from_outside",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    condition=pgtrigger.Condition("NEW.verified_by_id IS NOT NULL"),
    func="IF (TG_OP = 'INSERT' OR NEW.verified_by_id IS DISTINCT FROM OLD.verified_by_id "
    + f"OR NEW.evidence <> OLD.evidence) AND {MEMBER.format(owner='organization_id', by='verified_by_id')} THEN "
    + refuse("energy_source_verified_from_outside", "'a source is verified by somebody outside its owner'")
    + " END IF; RETURN NEW;",
)
