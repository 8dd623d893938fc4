"""Every receipt has a buyer, providers and a period, and is found by them."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('energy', '0011_receipt_owners_filled'),
    ]

    operations = [
        migrations.AlterField(
            model_name='greenreceipt',
            name='buyer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='green_receipts', to='accounts.organization'),
        ),
        migrations.AlterField(
            model_name='greenreceipt',
            name='providers',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None),
        ),
        migrations.AlterField(
            model_name='greenreceipt',
            name='start',
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name='greenreceipt',
            name='end',
            field=models.DateTimeField(),
        ),
        migrations.AddIndex(
            model_name='greenreceipt',
            index=models.Index(fields=['buyer', '-end', '-public_id'], name='green_receipt_by_buyer'),
        ),
        migrations.AddIndex(
            model_name='greenreceipt',
            index=django.contrib.postgres.indexes.GinIndex(fields=['providers'], name='green_receipt_by_provider'),
        ),
        migrations.AddConstraint(
            model_name='greenreceipt',
            constraint=models.CheckConstraint(condition=models.Q(('end__gte', models.F('start'))), name='green_receipt_has_a_period'),
        ),
    ]
