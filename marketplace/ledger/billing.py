"""As whom an organization wants to be billed."""

from datetime import datetime

from accounts.models import Organization
from marketplace.ledger.models import BillingDetails


def set_billing_details(
    *, organization: Organization, legal_name: str, address: str, tax_id: str, reference: str, now: datetime
) -> BillingDetails:
    """Name whom invoices are for from now on; those that are issued keep the names they have."""
    values = {
        "legal_name": legal_name, "address": address, "tax_id": tax_id, "reference": reference, "updated_at": now,
    }  # fmt: skip
    details, _ = BillingDetails.objects.update_or_create(organization=organization, defaults=values)
    return details
