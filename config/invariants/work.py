"""J1 to J5, J7 to J10: jobs, their attempts and leases, and what was metered."""
# ruff: noqa: S608  # the queries are put together from words of this module, nothing typed by anybody

from django.utils.translation import gettext_noop as _

from config.invariants.check import Check

FINAL = "('succeeded', 'failed', 'cancelled', 'expired')"
# Written again here on purpose: a checker that read the product's table would agree with its faults.
JOB_MOVES = """
    ('queued', 'allocated'), ('queued', 'expired'), ('queued', 'cancelled'),
    ('allocated', 'starting'), ('allocated', 'queued'), ('allocated', 'cancelled'),
    ('starting', 'running'), ('starting', 'queued'), ('starting', 'failed'), ('starting', 'cancelled'),
    ('running', 'succeeded'), ('running', 'failed'), ('running', 'queued'), ('running', 'cancelled')
"""

J1 = Check(
    id="J1",
    promise=_("every job's events are numbered without a gap, move legally and end in the row's state"),
    rows="SELECT count(*) FROM scheduler_job",
    queries=(
        f"""
        WITH step AS (
            SELECT e.object_id, e.object_seq AS seq, e.type, e.state,
                   lag(e.object_seq) OVER told AS seq_before, lag(e.state) OVER told AS state_before
            FROM events_event e JOIN scheduler_job j ON j.public_id = e.object_id
            WINDOW told AS (PARTITION BY e.object_id ORDER BY e.object_seq, e.id)
        )
        SELECT object_id || ' step ' || seq,
               CASE WHEN seq_before IS NULL THEN 'step 1, queued'
                    ELSE 'step ' || seq_before + 1 || ', a legal move from ' || state_before END,
               'step ' || seq || ', ' || type || ' to ' || state
        FROM step
        WHERE seq <> coalesce(seq_before, 0) + 1
           OR (state_before IS NULL AND state <> 'queued')
           OR (state_before IS NOT NULL AND (state_before, state) NOT IN (VALUES {JOB_MOVES})
               AND NOT (type = 'job.relaxed' AND state = 'queued' AND state_before = 'queued'))
        ORDER BY object_id, seq
        """,
        """
        SELECT j.public_id, 'last event: ' || j.state || ' at version ' || j.version,
               coalesce(e.state || ' at version ' || e.object_seq, 'no event')
        FROM scheduler_job j LEFT JOIN LATERAL (
            SELECT state, object_seq FROM events_event
            WHERE object_id = j.public_id ORDER BY object_seq DESC LIMIT 1
        ) e ON true
        WHERE (e.state, e.object_seq) IS DISTINCT FROM (j.state, j.version)
        ORDER BY j.id
        """,
    ),
    corrupt=(
        "UPDATE events_event SET object_seq = object_seq + 1000 WHERE id = "
        "(SELECT max(e.id) FROM events_event e JOIN scheduler_job j ON j.public_id = e.object_id)",
    ),
)

J2 = Check(
    id="J2",
    promise=_("one live attempt per job, one live lease per attempt, epochs rise"),
    rows="SELECT (SELECT count(*) FROM scheduler_attempt) + (SELECT count(*) FROM scheduler_lease)",
    queries=(
        """
        SELECT j.public_id, 'one live attempt', count(*)::text
        FROM scheduler_attempt a JOIN scheduler_job j ON j.id = a.job_id WHERE a.ended_at IS NULL
        GROUP BY j.public_id HAVING count(*) > 1
        """,
        """
        SELECT a.public_id, 'one live lease', count(*)::text
        FROM scheduler_lease l JOIN scheduler_attempt a ON a.id = l.attempt_id WHERE l.ended_at IS NULL
        GROUP BY a.public_id HAVING count(*) > 1
        """,
        """
        SELECT a.public_id, 'no live lease after its end', l.public_id
        FROM scheduler_lease l JOIN scheduler_attempt a ON a.id = l.attempt_id
        WHERE l.ended_at IS NULL AND a.ended_at IS NOT NULL
        """,
        """
        SELECT public_id, 'an epoch above ' || before, epoch::text FROM (
            SELECT public_id, epoch, lag(epoch, 1, 0) OVER (PARTITION BY attempt_id ORDER BY id) AS before
            FROM scheduler_lease
        ) lease WHERE epoch <= before
        """,
    ),
    corrupt=(
        "ALTER TABLE scheduler_lease DROP CONSTRAINT lease_epoch_positive",
        "UPDATE scheduler_lease SET epoch = 0 WHERE id = (SELECT min(id) FROM scheduler_lease)",
    ),
)

J3 = Check(
    id="J3",
    promise=_("an ended job has no live attempt, lease or allocation"),
    rows=f"SELECT count(*) FROM scheduler_job WHERE state IN {FINAL}",
    queries=(
        f"""
        SELECT j.public_id, 'nothing live: it is ' || j.state, 'live attempt ' || a.public_id
        FROM scheduler_job j JOIN scheduler_attempt a ON a.job_id = j.id
        WHERE j.state IN {FINAL} AND a.ended_at IS NULL
        """,
        f"""
        SELECT j.public_id, 'nothing live: it is ' || j.state, 'live allocation ' || l.public_id
        FROM scheduler_job j JOIN scheduler_allocation l ON l.job_id = j.id
        WHERE j.state IN {FINAL} AND l.live
        """,
        f"""
        SELECT j.public_id, 'nothing live: it is ' || j.state, 'live lease ' || l.public_id
        FROM scheduler_job j JOIN scheduler_attempt a ON a.job_id = j.id JOIN scheduler_lease l ON l.attempt_id = a.id
        WHERE j.state IN {FINAL} AND l.ended_at IS NULL
        """,
    ),
    corrupt=(
        "UPDATE scheduler_allocation SET live = true, released_at = NULL WHERE id = (SELECT max(l.id) "
        f"FROM scheduler_allocation l JOIN scheduler_job j ON j.id = l.job_id WHERE j.state IN {FINAL})",
    ),
)

J4 = Check(
    id="J4",
    promise=_("every open job has a live lease, an attempt waiting for its agent, or a turn at most two sweeps old"),
    rows=f"SELECT count(*) FROM scheduler_job WHERE state NOT IN {FINAL}",
    queries=(
        f"""
        SELECT j.public_id, 'a live lease, a waiting attempt or a turn to come',
               j.state || coalesce(', its turn came at ' || j.next_attempt_at, ', forgotten')
        FROM scheduler_job j
        WHERE j.state NOT IN {FINAL}
          AND NOT coalesce(
              j.state = 'queued' AND j.next_attempt_at >= transaction_timestamp() - %(patience)s::interval, false)
          AND NOT EXISTS (
              SELECT 1 FROM scheduler_attempt a JOIN scheduler_allocation l ON l.id = a.allocation_id
              WHERE a.job_id = j.id AND j.state = 'allocated' AND a.state = 'pending' AND l.live)
          AND NOT EXISTS (
              SELECT 1 FROM scheduler_attempt a JOIN scheduler_lease s ON s.attempt_id = a.id
              WHERE a.job_id = j.id AND a.ended_at IS NULL AND s.ended_at IS NULL
                AND s.expires_at >= transaction_timestamp() - %(patience)s::interval)
        ORDER BY j.id
        """,
    ),
    corrupt=(
        "ALTER TABLE scheduler_job DROP CONSTRAINT job_finished_when_final",
        "UPDATE scheduler_job SET state = 'queued', next_attempt_at = transaction_timestamp() - interval '1 day' "
        "WHERE id = (SELECT max(j.id) FROM scheduler_job j WHERE NOT EXISTS ("
        "SELECT 1 FROM scheduler_attempt a WHERE a.job_id = j.id AND a.ended_at IS NULL))",
    ),
)

STARTED = """FROM scheduler_job j LEFT JOIN LATERAL (
            SELECT count(DISTINCT a.id) AS started
            FROM scheduler_attempt a JOIN scheduler_lease l ON l.attempt_id = a.id WHERE a.job_id = j.id
        ) s ON true"""

J5 = Check(
    id="J5",
    promise=_("a job starts at most retries + 1 attempts, counted as its leases tell"),
    rows="SELECT count(*) FROM scheduler_job",
    queries=(
        f"""
        SELECT j.public_id, 'at most ' || j.retries + 1 || ' started attempts', greatest(j.attempts_made, started)::text
        {STARTED}
        WHERE greatest(j.attempts_made, started) > j.retries + 1 ORDER BY j.id
        """,
        f"""
        SELECT j.public_id, started || ' attempts made', j.attempts_made::text
        {STARTED}
        WHERE j.attempts_made <> started ORDER BY j.id
        """,
    ),
    corrupt=(
        "ALTER TABLE scheduler_job DROP CONSTRAINT job_attempts_within_retries",
        "UPDATE scheduler_job SET attempts_made = retries + 2 WHERE id = (SELECT min(id) FROM scheduler_job)",
    ),
)

J7 = Check(
    id="J7",
    promise=_("metered use of an attempt never overlaps and stays within wall time x units"),
    rows="SELECT count(*) FROM booking_usagerecord",
    queries=(
        """
        SELECT u.public_id, 'at most ' || w.ms || ' ms on ' || g.units || ' units',
               u.milliseconds || ' ms on ' || u.units || ' units'
        FROM booking_usagerecord u JOIN booking_contract c ON c.id = u.contract_id,
             LATERAL (SELECT ceil(extract(epoch FROM upper(u.during) - lower(u.during)) * 1000) AS ms) w,
             LATERAL (SELECT coalesce(min(l.units), c.units) AS units FROM scheduler_attempt a
                      JOIN scheduler_allocation l ON l.id = a.allocation_id WHERE a.public_id = u.attempt) g
        WHERE u.milliseconds > w.ms OR u.units > g.units ORDER BY u.id
        """,
        """
        SELECT a.public_id, 'at most ' || w.ms || ' unit-ms since its first lease', sum(u.milliseconds * u.units)::text
        FROM booking_usagerecord u JOIN scheduler_attempt a ON a.public_id = u.attempt
        JOIN scheduler_allocation l ON l.id = a.allocation_id,
             LATERAL (
                 SELECT ceil(extract(epoch FROM coalesce(a.ended_at, transaction_timestamp())
                     - (SELECT min(s.granted_at) FROM scheduler_lease s WHERE s.attempt_id = a.id)) * 1000) * l.units
                     AS ms
             ) w
        GROUP BY a.public_id, w.ms HAVING sum(u.milliseconds * u.units) > coalesce(w.ms, 0) ORDER BY 1
        """,
        """
        SELECT later.public_id, 'use that begins after ' || earlier.public_id, later.during::text
        FROM booking_usagerecord earlier JOIN booking_usagerecord later
          ON later.attempt = earlier.attempt AND later.id > earlier.id AND later.during && earlier.during
        WHERE earlier.flagged = '' AND later.flagged = ''
        ORDER BY later.id
        """,
    ),
    corrupt=(
        "UPDATE booking_usagerecord SET milliseconds = milliseconds + 86400000 "
        "WHERE id = (SELECT min(id) FROM booking_usagerecord)",
    ),
)

J8 = Check(
    id="J8",
    promise=_("the jobs of a gang are of one buyer, no more than its size, and hold one start together"),
    rows="SELECT count(*) FROM scheduler_gang",
    queries=(
        """
        SELECT g.public_id, 'at most ' || g.size || ' jobs, all of its buyer and family',
               count(*) || ' jobs, ' || count(*) FILTER (WHERE j.buyer_id <> g.buyer_id OR j.segment <> g.segment)
                   || ' of others'
        FROM scheduler_gang g JOIN scheduler_job j ON j.gang_id = g.id
        GROUP BY g.id HAVING count(*) > g.size OR bool_or(j.buyer_id <> g.buyer_id OR j.segment <> g.segment)
        ORDER BY g.id
        """,
        """
        SELECT g.public_id, 'one start', string_agg(DISTINCT a.start::text, ', ')
        FROM scheduler_gang g JOIN scheduler_job j ON j.gang_id = g.id
        JOIN scheduler_allocation a ON a.job_id = j.id AND a.live
        GROUP BY g.id HAVING count(DISTINCT a.start) > 1 ORDER BY g.id
        """,
    ),
    corrupt=("UPDATE scheduler_gang SET segment = 'edge' WHERE id = (SELECT min(id) FROM scheduler_gang)",),
)

J9 = Check(
    id="J9",
    promise=_("work that makes room holds no units from its notice on, and has ended soon after it"),
    rows="SELECT count(*) FROM scheduler_attempt WHERE preempt_cause <> '' OR reason = 'preempted'",
    queries=(
        """
        SELECT a.public_id, 'no promise any more', l.units || ' units of ' || l.public_id
        FROM scheduler_attempt a JOIN scheduler_allocation l ON l.id = a.allocation_id
        WHERE (a.preempt_cause <> '' OR a.reason = 'preempted') AND l.live ORDER BY a.id
        """,
        """
        SELECT public_id, 'ended soon after ' || preempt_by, state FROM scheduler_attempt
        WHERE ended_at IS NULL AND preempt_by < transaction_timestamp() - interval '2 minutes' - %(patience)s::interval
        ORDER BY id
        """,
    ),
    corrupt=(
        "UPDATE scheduler_allocation SET live = true, released_at = NULL WHERE id = "
        "(SELECT min(allocation_id) FROM scheduler_attempt WHERE preempt_cause <> '')",
    ),
)

J10 = Check(
    id="J10",
    promise=_("every job that waits for a round stands in the queue where its row says, and no other does"),
    rows="SELECT count(*) FROM scheduler_queueentry",
    queries=(
        """
        SELECT j.public_id, concat_ws(' ', j.segment, j.region_group, j.due_at),
               coalesce(concat_ws(' ', e.segment, e.region_group, e.due_at), 'not in the queue')
        FROM scheduler_job j LEFT JOIN scheduler_queueentry e ON e.job_id = j.id
        WHERE j.state = 'queued' AND j.reservation_id IS NULL
          AND (e.segment, e.region_group, e.due_at) IS DISTINCT FROM (j.segment, j.region_group, j.due_at)
        ORDER BY j.id
        """,
        """
        SELECT j.public_id, 'not in the queue',
               'waits while it is ' || CASE WHEN j.state = 'queued' THEN 'inside a reservation' ELSE j.state END
        FROM scheduler_queueentry e JOIN scheduler_job j ON j.id = e.job_id
        WHERE j.state <> 'queued' OR j.reservation_id IS NOT NULL ORDER BY j.id
        """,
    ),
    corrupt=("DELETE FROM scheduler_queueentry WHERE job_id = (SELECT min(job_id) FROM scheduler_queueentry)",),
)

CHECKS = (J1, J2, J3, J4, J5, J7, J8, J9, J10)
