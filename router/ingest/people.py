"""Studies whose instances name more than one person: warned of when that is filed, told apart when somebody asks."""

from collections import Counter
from collections.abc import Mapping, Sequence

from archive import Archive
from router.ingest.judgement import IndexedAttributes
from router.ingest.warning import WARNED
from router.reading import read_header
from rules import RulesError, Verdict

TELLING_APART = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate")


def of_another(keywords: Sequence[str]) -> Verdict:
    """What is warned of where an instance has another value of these than its study."""
    return Verdict(None, f"instances of more than one patient: they differ in {' and '.join(keywords)}")


def is_mixed(events: Sequence[Mapping[str, object]]) -> bool:
    """Whether that was ever warned of in a study with these events."""
    return any(_is_ours(event) for event in events)


def _is_ours(event: Mapping[str, object]) -> bool:
    detail = event["detail"]
    return event["kind"] == WARNED and isinstance(detail, Mapping) and detail.get("rule") is None


def people_of(archive: Archive, study_id: int) -> list[dict[str, object]]:
    """Whom the kept files of a study name, each with how many instances do; what cannot be read names nobody."""
    found: Counter[tuple[str, ...]] = Counter()
    for kept in archive.instances_of(study_id):
        try:
            header = read_header(archive.folder / kept.file, kept.data_set_offset or 0, kept.uids[2])
            attributes = IndexedAttributes(header)
            found[tuple(attributes.get(keyword, "") for keyword in TELLING_APART)] += 1
        except (RulesError, OSError):
            found[("",) * len(TELLING_APART)] += 1
    return [dict(zip(TELLING_APART, values, strict=True)) | {"instances": count} for values, count in found.items()]
