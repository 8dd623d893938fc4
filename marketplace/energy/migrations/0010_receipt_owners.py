"""Whose work a receipt is of, where it was done and when, as columns; filled and made required by what follows."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_organizations_stay'),
        ('energy', '0009_share_outlook'),
    ]

    operations = [
        migrations.AddField(
            model_name='greenreceipt',
            name='buyer',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='green_receipts', to='accounts.organization'),
        ),
        migrations.AddField(
            model_name='greenreceipt',
            name='providers',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), null=True, size=None),
        ),
        migrations.AddField(
            model_name='greenreceipt',
            name='start',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='greenreceipt',
            name='end',
            field=models.DateTimeField(null=True),
        ),
    ]
