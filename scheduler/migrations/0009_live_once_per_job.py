"""Give back two constraints that 0004 lost: with the index of a foreign key, Django drops partial unique ones too."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("scheduler", "0008_references_checked_in_sets"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE UNIQUE INDEX IF NOT EXISTS allocation_live_once_per_job ON scheduler_allocation (job_id) WHERE live",
            reverse_sql=migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "CREATE UNIQUE INDEX IF NOT EXISTS attempt_live_once_per_job ON scheduler_attempt (job_id) "
            "WHERE ended_at IS NULL",
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
