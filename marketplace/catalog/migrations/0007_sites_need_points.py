"""No site without a metering point, and none at a point of another provider or grid zone."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0006_sites_have_points")]

    operations = [
        migrations.AlterField(
            model_name="site",
            name="point",
            field=models.ForeignKey(
                blank=True, on_delete=django.db.models.deletion.PROTECT, related_name="sites", to="energy.meterpoint"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="site",
            trigger=pgtrigger.compiler.Trigger(name='site_point_of_its_zone', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n    IF NOT EXISTS (\n        SELECT FROM energy_meterpoint AS point\n        WHERE point.id = NEW.point_id AND point.zone_id = NEW.zone_id AND point.organization_id = NEW.provider_id\n    ) THEN\n        RAISE check_violation USING\n            MESSAGE = 'a site is metered at a point of its own provider and grid zone',\n            CONSTRAINT = 'site_point_of_its_zone';\n    END IF;\n    RETURN NEW;\n", hash='b6fa66d34e01485d72e4ce96601121ed8ee157fc', operation='INSERT OR UPDATE OF "point_id", "zone_id", "provider_id"', pgid='pgtrigger_site_point_of_its_zone_5cab3', table='catalog_site', when='BEFORE')),
        ),
    ]
