"""Why the pictures of an instance may tell who it is, by what its header says of them. It looks into no pixel."""

from rules.anonymising.people import first
from rules.anonymising.sound import may_have_sound_track
from rules.attribute import Attribute
from rules.facts import Readable
from rules.header import Header
from rules.pixels import has_overlay_in_pixels

_BURNED_IN, _IMAGE_TYPE = Attribute.parse("BurnedInAnnotation"), Attribute.parse("ImageType")
_MODALITY, _SOP_CLASS_UID = Attribute.parse("Modality"), Attribute.parse("SOPClassUID")
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and all classes below

# The modalities (PS3.3 C.7.3.1.1.1) whose pixels are what was measured or computed, and no device writes into. Of all
# others text is expected: ultrasound and what is like it (BDUS IVOCT IVUS PA US) writes it beside the picture; cameras,
# microscopes and the instruments of ophthalmology (CFM DMS ES GM OP OPT SM XC ...) show labels or print reports; film
# and paper have it on them (DOC HC IO PX RG); bone density and curves (BMD ECG EEG HD RESP ...) come as printed pages;
# OT and what the standard does not know may be anything; the rest (KO PR REG SR ...) has no pixels of its own.
_WITHOUT_TEXT = frozenset({"CR", "CT", "DX", "MG", "MR", "NM", "PT", "RF", "RTDOSE", "RTIMAGE", "SEG", "XA"})

_OVERLAY_LEFT = (
    "an overlay lies in bits of the pixels, and names may be written in it: taking its header away leaves it there; "
    "burned_in: trust, if this device writes none"
)
_SOUND = "a video may have sound, in which a name can be heard; burned_in: trust, if this device records none"
_SAYS_SO = "BurnedInAnnotation is YES: names may be written into the picture; blank_pixels, or burned_in: trust"
_OF_A_KIND = "a picture of this kind may have names written into it; blank_pixels, or burned_in: trust"


def why_look(header: Header, made: Readable, *, is_blanked: bool) -> str | None:
    """Why a person has to look first, None if there is no reason. `made` is the header with the edits so far.

    Regions that were blanked are answered for by who named them; what is made of them is no video any more.
    """
    if header.pixel_tag is None:
        return None
    if has_overlay_in_pixels(header):
        return _OVERLAY_LEFT
    if is_blanked:
        return None
    if may_have_sound_track(header.transfer_syntax_uid):
        return _SOUND
    burned_in = first(made, _BURNED_IN).upper()
    if burned_in in {"YES", "NO"}:
        return _SAYS_SO if burned_in == "YES" else None
    return _OF_A_KIND if _may_show_text(made) else None


def _may_show_text(made: Readable) -> bool:
    """Whether text is expected in pictures of this class, of this modality, or of a screen."""
    return (
        first(made, _SOP_CLASS_UID).startswith(_SECONDARY_CAPTURE)
        or first(made, _MODALITY).upper() not in _WITHOUT_TEXT
        or "SCREEN" in " ".join(made.values(_IMAGE_TYPE) or ()).upper()
    )
