"""De-identification of a header after PS3.15 Annex E: what is done to each attribute, and the search of the result."""

from rules.anonymising.cleaner import Cleaner
from rules.anonymising.dates import shifted
from rules.anonymising.egress import Egress
from rules.anonymising.identifiers import identifiers, kept_by
from rules.anonymising.marks import mark
from rules.anonymising.parts import drop_private, everywhere, replace_uids, shift_dates
from rules.anonymising.people import first, person_of
from rules.anonymising.pictures import why_look
from rules.anonymising.pseudonyms import Pseudonyms

__all__ = [
    "Cleaner",
    "Egress",
    "Pseudonyms",
    "drop_private",
    "everywhere",
    "first",
    "identifiers",
    "kept_by",
    "mark",
    "person_of",
    "replace_uids",
    "shift_dates",
    "shifted",
    "why_look",
]
