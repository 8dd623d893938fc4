"""Every site gets a metering point: its own provider's, in its own zone, with the overhead that it states."""

import django.db.models.deletion
from django.db import migrations, models

ADD_POINTS = """
    INSERT INTO energy_meterpoint (organization_id, code, zone_id, pue_design_ppm, hub_node, created_at)
    SELECT provider_id, public_id, zone_id, pue_ppm, false, created_at FROM catalog_site WHERE point_id IS NULL;
    UPDATE catalog_site AS site SET point_id = point.id
    FROM energy_meterpoint AS point WHERE point.code = site.public_id AND site.point_id IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_cancellation_terms"), ("energy", "0003_evidence")]

    operations = [
        migrations.AddField(
            model_name="site",
            name="point",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="sites", to="energy.meterpoint"
            ),
        ),
        migrations.RunSQL(ADD_POINTS, reverse_sql=migrations.RunSQL.noop),
    ]
