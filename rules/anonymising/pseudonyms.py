"""What stands in the place of a UID, a patient ID and a date: made from a secret, the same for the same at any time.

Nothing is stored: whoever has the secret makes the same again, and nobody else can tell which belongs to whom.
"""

import base64
import hmac
import uuid

_FEWEST_DAYS, _MOST_DAYS = 30, 3650
_PSEUDONYM_CHARACTERS = 12
STANDARD_ROOT = "1.2.840.10008."  # UIDs of the standard itself: classes, transfer syntaxes, contexts


class Pseudonyms:
    """All that one secret yields."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def uid(self, uid: str) -> str:
        """The UID in the place of another (PS3.5 B.2, root 2.25); one of the standard's own stays."""
        if not uid or uid.startswith(STANDARD_ROOT):
            return uid
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', uid)[:16], version=5).int}"

    def patient(self, patient_id: str) -> str:
        """The pseudonym of a patient ID: capitals and digits, twelve of them."""
        return base64.b32encode(self._digest("patient", patient_id)).decode("ascii")[:_PSEUDONYM_CHARACTERS]

    def days(self, patient_id: str) -> int:
        """By how many days the dates of a patient are moved: back, by a month to ten years."""
        number = int.from_bytes(self._digest("days", patient_id)[:8], "big")
        return -(_FEWEST_DAYS + number % (_MOST_DAYS - _FEWEST_DAYS + 1))

    def _digest(self, what: str, text: str) -> bytes:
        return hmac.digest(self._secret, f"{what}\0{text}".encode("utf-8", "surrogatepass"), "sha256")
