"""The queue's tables. A delivery is a row while it is under way; what is long settled stands in a receipt instead."""

import sqlalchemy as sa

from archive import Id, Json, UtcDateTime, text
from router.delivery.states import State

metadata = sa.MetaData()

_NAME = text(64)  # of a destination
_ROUTE = text(255)
_WORD = sa.String(16)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("instance_id", Id, nullable=False),
    sa.Column("study_id", Id, nullable=False),
    sa.Column("series_id", Id, nullable=False),
    sa.Column("destination", _NAME, nullable=False),
    sa.Column("route", _ROUTE, nullable=False),
    sa.Column("revision", sa.String(64), nullable=False),
    sa.Column("made_from", sa.String(32)),  # fingerprint of the secrets that the copy is to be made from
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("state", _WORD, nullable=False),
    sa.Column("quiet_period_id", Id),  # while it waits for quiet
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("due_since", UtcDateTime),  # when it first became due; give_up counts from here
    sa.Column("due_at", UtcDateTime),  # not to be leased before
    sa.Column("attempts", sa.Integer, nullable=False),  # its own, without the failures of its line
    sa.Column("line_failures_before", sa.Integer, nullable=False),  # destinations.failures_in_all when it became due
    sa.Column("token", sa.Integer, nullable=False),  # one more with every lease: fences out whoever held it before
    sa.Column("lease_holder", sa.String(64)),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("reason", sa.Text),  # why it is as it is, where its state does not say
    sa.Column("settled_at", UtcDateTime),
    sa.Column("status", sa.Integer),  # DIMSE status answered last
    sa.Column("digest_sent", sa.String(64)),
    sa.Column("check_sent", sa.String(32)),  # where the digest is left for later (see digests)
    sa.Column("bytes_sent", sa.BigInteger),
    sa.Column("outdated", sa.Boolean, nullable=False, server_default=sa.false()),  # has an older version, or gets it
    sa.Column("again", sa.Boolean, nullable=False, server_default=sa.false()),  # when it is answered it is due again
    sa.Column("replaces", sa.Boolean, nullable=False, server_default=sa.false()),  # the destination has another version
    sa.UniqueConstraint("instance_id", "destination", name="deliveries_once"),
    sa.CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in State)), name="deliveries_state"),
)
sa.Index("deliveries_lease", *(deliveries.c[name] for name in ("destination", "state", "priority", "id")))
sa.Index("deliveries_study", deliveries.c.study_id, deliveries.c.destination)
sa.Index(
    "deliveries_quiet_period_id",
    deliveries.c.quiet_period_id,
    sqlite_where=deliveries.c.quiet_period_id.is_not(None),
    postgresql_where=deliveries.c.quiet_period_id.is_not(None),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("delivery_id", Id, index=True),  # None: the line as a whole failed, before any instance was tried
    sa.Column("destination", _NAME, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("outcome", _WORD, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
)
sa.Index(
    "attempts_of_lines",
    attempts.c.started_at,
    sqlite_where=attempts.c.delivery_id.is_(None),
    postgresql_where=attempts.c.delivery_id.is_(None),
)

quiet_periods = sa.Table(
    "quiet_periods",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("scope", _WORD, nullable=False),  # study | series
    sa.Column("scope_id", Id, nullable=False),  # study_id | series_id
    sa.Column("route", _ROUTE, nullable=False),
    sa.Column("destination", _NAME, nullable=False),
    sa.Column("quiet_seconds", sa.Float, nullable=False),
    sa.Column("late", _WORD, nullable=False),  # send | hold | ignore
    sa.Column("last_arrival_at", UtcDateTime, nullable=False),
    sa.Column("release_at", UtcDateTime, nullable=False),
    sa.Column("released_at", UtcDateTime),  # kept only where late ones are not sent
    sa.UniqueConstraint("scope", "scope_id", "route", "destination", name="quiet_periods_once"),
)
sa.Index("quiet_periods_release", quiet_periods.c.released_at, quiet_periods.c.release_at)
sa.Index("quiet_periods_arrival", quiet_periods.c.released_at, quiet_periods.c.last_arrival_at)

destinations = sa.Table(
    "destinations",
    metadata,
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("configured", sa.Boolean, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("paused_reason", sa.Text),
    sa.Column("failures", sa.Integer, nullable=False),  # of the line, in a row
    sa.Column("failures_in_all", sa.Integer, nullable=False),  # of the line, ever
    sa.Column("failing_since", UtcDateTime),
    sa.Column("retry_at", UtcDateTime),
    sa.Column("last_error", sa.Text),
    sa.Column("last_success_at", UtcDateTime),
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("study_id", Id, nullable=False, index=True),
    sa.Column("destination", _NAME, nullable=False),
    sa.Column("instances", sa.Integer, nullable=False),
    sa.Column("first_at", UtcDateTime, nullable=False),
    sa.Column("last_at", UtcDateTime, nullable=False),
    sa.Column("outcome", _WORD, nullable=False),  # the state all ended in, or "mixed"
    sa.Column("detail", Json, nullable=False),
    sa.Column("outdated", sa.Boolean, nullable=False, server_default=sa.false()),  # as of deliveries
)

clocks = sa.Table(
    "clocks",
    metadata,
    sa.Column("holder", sa.String(64), primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),  # the wall clock, when this was written
    sa.Column("began_at", UtcDateTime, nullable=False),  # what it would have shown when the steady clock was at 0
    sa.Column("era", sa.String(64), nullable=False),  # since which start of the machine that counts
)
