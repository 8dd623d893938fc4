"""Receipts that are there already say whose they are: all of it stands in their payload, which stays as it is."""

from django.db import migrations

FILL = """
ALTER TABLE energy_greenreceipt DISABLE TRIGGER USER;
UPDATE energy_greenreceipt AS receipt SET
    buyer_id = (
        SELECT id FROM accounts_organization WHERE public_id = receipt.payload->'buyer'->>'id'
    ),
    providers = ARRAY(
        SELECT DISTINCT place->'provider'->>'id' FROM jsonb_array_elements(receipt.payload->'places') AS place ORDER BY 1
    ),
    start = (receipt.payload->'period'->>'start')::timestamptz,
    "end" = (receipt.payload->'period'->>'end')::timestamptz;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE energy_greenreceipt ENABLE TRIGGER USER;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('energy', '0010_receipt_owners'),
    ]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
