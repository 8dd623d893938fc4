"""What was allocated before use was counted: the same count, from the allocations themselves."""

from django.db import migrations

FILL = """
    INSERT INTO scheduler_segmentuse (segment, organization_id, day, work)
    SELECT job.segment, job.buyer_id, today.day, sum(work_decayed(
        (allocation.units * hardware.pf_milli * CASE
            WHEN allocation.live THEN extract(epoch FROM allocation."end" - allocation.start)
            WHEN attempt.started_at IS NULL OR attempt.reason IN (
                'lease_lost', 'node_failed', 'agent_error', 'image_failed', 'input_missing', 'preempted'
            ) THEN 0
            ELSE greatest(0, extract(epoch FROM least(
                attempt.ended_at - attempt.started_at, allocation."end" - allocation.start)))
        END)::bigint,
        today.day - (allocation.created_at AT TIME ZONE 'UTC')::date))
    FROM scheduler_allocation AS allocation
    JOIN scheduler_attempt AS attempt ON attempt.allocation_id = allocation.id
    JOIN scheduler_job AS job ON job.id = allocation.job_id
    JOIN catalog_offer AS offer ON offer.id = allocation.offer_id
    JOIN catalog_hardwareclass AS hardware ON hardware.id = offer.hardware_id
    CROSS JOIN (SELECT (transaction_timestamp() AT TIME ZONE 'UTC')::date AS day) AS today
    GROUP BY job.segment, job.buyer_id, today.day
    UNION ALL
    SELECT DISTINCT job.segment, job.buyer_id, (transaction_timestamp() AT TIME ZONE 'UTC')::date, 0
    FROM scheduler_job AS job
    WHERE job.state = 'queued' AND NOT EXISTS (
        SELECT 1 FROM scheduler_allocation AS allocation JOIN scheduler_job AS had ON had.id = allocation.job_id
        WHERE had.segment = job.segment AND had.buyer_id = job.buyer_id)
"""


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0006_segment_use'),
        ('catalog', '0001_shelf'),
    ]

    operations = [migrations.RunSQL(FILL, reverse_sql="DELETE FROM scheduler_segmentuse")]
