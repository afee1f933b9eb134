"""`micropacs find`: search the archive with DICOM matching."""

from enum import StrEnum
from typing import Annotated

import typer

from archive import INDEXED, QueryError
from router.cli.options import Config, Json, in_force, opened
from router.cli.output import Exit, as_json, console, fail, table
from rules import closest

SHOWN = {
    "study": (
        "PatientID",
        "PatientName",
        "StudyDate",
        "ModalitiesInStudy",
        "StudyDescription",
        "NumberOfStudyRelatedInstances",
        "StudyInstanceUID",
    ),
    "series": (
        "PatientID",
        "StudyDate",
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "NumberOfSeriesRelatedInstances",
        "SeriesInstanceUID",
    ),
    "instance": ("Modality", "SeriesNumber", "InstanceNumber", "SOPClassUID", "SOPInstanceUID"),
}


class Level(StrEnum):
    """The levels of a query."""

    study = "study"
    series = "series"
    instance = "instance"


def find(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="e.g. PatientName='HONG*' StudyDate=20260101-")
    ] = None,
    level: Annotated[Level, typer.Option(help="What to list.")] = Level.study,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 1000,
    config: Config = None,
    json: Json = False,
) -> None:
    """Search the archive: `*` and `?` are wildcards, 20260101-20260131 a range, names match without regard to case."""
    wanted: dict[str, str] = {}
    for key in keys or []:
        keyword, separator, value = key.partition("=")
        if not separator:
            fail(f"{key!r} is not KEY=VALUE", Exit.WRONG, hint="for example: micropacs find PatientID=01234567")
        wanted[keyword] = value
    with opened(in_force(config)) as appliance:
        try:
            found = appliance.archive.find(level.value, wanted, limit=limit + 1)
        except QueryError as error:
            meant = [closest(keyword, INDEXED) for keyword in wanted if keyword not in INDEXED]
            hint = f"did you mean {meant[0]}?" if meant and meant[0] else f"keys: {', '.join(INDEXED)}"
            fail(str(error), Exit.WRONG, hint=hint)
    more, found = len(found) > limit, found[:limit]
    if json:
        as_json(found)
    elif found:
        columns = SHOWN[level.value]
        table(columns, [[row.get(column, "") for column in columns] for row in found])
        if more:
            console.print(f"… and more: --limit shows more than {limit}")
    else:
        console.print("nothing matches")
    raise typer.Exit(Exit.DONE if found else Exit.NOT_SO)
