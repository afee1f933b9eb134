"""The machine's own time zone as a tzinfo, daylight saving included. Sites that name their zone do not need it."""

from datetime import UTC, datetime, timedelta, tzinfo


class MachineZone(tzinfo):
    """The time zone this machine is set to, as the operating system knows it for each moment."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """How far the machine's clock is from UTC at `moment`."""
        return None if moment is None else _local(moment).utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:  # noqa: ARG002 - the signature is tzinfo's
        """Not told by the operating system."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        """The zone's name at `moment`, such as KST."""
        return None if moment is None else _local(moment).tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """The moment, whose clock shows UTC, on the machine's clock."""
        return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)


def _local(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None).astimezone()
