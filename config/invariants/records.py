"""E1, R1, A1, A3: the journal, references checked in sets, one effect per key, secrets as hashes only."""
# ruff: noqa: S608  # the queries are put together from words of this module, nothing typed by anybody

from django.utils.translation import gettext_noop as _

from config.invariants.check import Check

# (table, the state a row is born in). An attempt, a sample offer and a lot are born without an event.
STATEFUL = (
    ("scheduler_job", "queued"),
    ("scheduler_attempt", "pending"),
    ("booking_reservation", "held"),
    ("catalog_offer", None),
    ("ledger_invoice", "draft"),
    ("energy_certificatelot", None),
)


def _last_event(table: str, born: str | None) -> str:
    """Rows of `table` whose state is not the one their last event told."""
    silent = "false" if born is None else f"(t.version > 1 OR t.state <> '{born}')"
    return f"""
        SELECT t.public_id, 'last told: ' || t.state || ', version ' || t.version,
               coalesce(e.state || ', version ' || e.object_seq, 'no event')
        FROM {table} t LEFT JOIN LATERAL (
            SELECT state, object_seq FROM events_event
            WHERE object_id = t.public_id ORDER BY object_seq DESC LIMIT 1
        ) e ON true
        WHERE CASE WHEN e.object_seq IS NULL THEN {silent}
                   ELSE (e.state, e.object_seq) IS DISTINCT FROM (t.state, t.version) END
        ORDER BY t.id
    """


E1 = Check(
    id="E1",
    promise=_("the state and version of every row that has states are those its last event told"),
    rows="SELECT " + " + ".join(f"(SELECT count(*) FROM {table})" for table, _ in STATEFUL),
    queries=tuple(_last_event(table, born) for table, born in STATEFUL),
    corrupt=("UPDATE events_event SET state = 'lost' WHERE id = (SELECT max(id) FROM events_event WHERE state <> '')",),
)

# What no foreign key watches (marketplace.common.references): (table, column, table it names).
REFERENCES = (
    ("booking_contract", "buyer_id", "accounts_organization"),
    ("booking_contract", "provider_id", "accounts_organization"),
    ("booking_contract", "offer_id", "catalog_offer"),
    ("scheduler_allocation", "job_id", "scheduler_job"),
    ("scheduler_allocation", "offer_id", "catalog_offer"),
    ("scheduler_allocation", "contract_id", "booking_contract"),
    ("scheduler_allocation", "round_id", "scheduler_matchround"),
    ("scheduler_allocation", "reservation_id", "booking_reservation"),
    ("scheduler_attempt", "job_id", "scheduler_job"),
    ("scheduler_attempt", "allocation_id", "scheduler_allocation"),
    ("events_event", "buyer_id", "accounts_organization"),
    ("events_event", "provider_id", "accounts_organization"),
)

R1 = Check(
    id="R1",
    promise=_("whatever a contract, allocation, attempt or event refers to is there"),
    rows="SELECT " + " + ".join(f"(SELECT count(*) FROM {table})" for table in sorted({row[0] for row in REFERENCES})),
    queries=tuple(
        f"""
        SELECT t.public_id, 'a row of {named}', '{column} ' || t.{column}
        FROM {table} t LEFT JOIN {named} n ON n.id = t.{column}
        WHERE t.{column} IS NOT NULL AND n.id IS NULL ORDER BY t.id
        """
        for table, column, named in REFERENCES
    ),
    corrupt=("UPDATE scheduler_attempt SET job_id = -1 WHERE id = (SELECT min(id) FROM scheduler_attempt)",),
)

A1 = Check(
    id="A1",
    promise=_("one (actor, Idempotency-Key) has one effect, whose answer is kept with it"),
    rows="SELECT count(*) FROM accounts_idempotencykey",
    queries=(
        """
        SELECT actor || ' ' || key, 'one effect', count(*)::text FROM accounts_idempotencykey
        GROUP BY actor, key HAVING count(*) > 1
        """,
        """
        SELECT actor || ' ' || key, 'the answer of its effect', 'no answer' FROM accounts_idempotencykey
        WHERE status IS NULL OR status >= 400
        """,
    ),
    corrupt=(
        "UPDATE accounts_idempotencykey SET status = NULL WHERE (actor, key) = "
        "(SELECT actor, key FROM accounts_idempotencykey ORDER BY created_at LIMIT 1)",
    ),
)

# The text of a whole key: whoever holds it acts for the organization.
WHOLE_KEY = "jm_(live|test)_[0-9A-Za-z]{22}_[0-9A-Za-z]{38,}"

A3 = Check(
    id="A3",
    promise=_("of a key only its SHA-256 is kept, and its text stands nowhere"),
    rows="SELECT count(*) FROM accounts_apikey",
    queries=(
        """
        SELECT public_id, '64 hexadecimal digits', length(secret_sha256) || ' characters' FROM accounts_apikey
        WHERE secret_sha256 !~ '^[0-9a-f]{64}$' ORDER BY id
        """,
        f"""
        SELECT actor || ' ' || key, 'no key in a kept answer', 'a whole key' FROM accounts_idempotencykey
        WHERE body::text ~ '{WHOLE_KEY}'
        """,
        f"""
        SELECT public_id, 'no key in an event', 'a whole key' FROM events_event WHERE facts::text ~ '{WHOLE_KEY}'
        """,
    ),
    corrupt=(
        "ALTER TABLE accounts_apikey DROP CONSTRAINT api_key_secret_is_a_hash",
        "UPDATE accounts_apikey SET secret_sha256 = 'a secret' WHERE id = (SELECT min(id) FROM accounts_apikey)",
    ),
)

CHECKS = (E1, R1, A1, A3)
