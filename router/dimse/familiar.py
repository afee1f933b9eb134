"""C-STORE requests and responses that lie as an earlier one of their association: read without going through elements.

Of those of a study only message ID and SOP instance UID differ. Says nothing of any other.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from router.dimse.command import ELEMENT, EVEN_UID, Command, Element, Field, decode, places

_MOST_FORMS = 64  # lengths of command sets, on one association


class FamiliarRequest(Command):
    """A C-STORE-RQ of a known form, which is answered at once, too."""

    __slots__ = ("_form", "_message_id", "_uid")

    field = Field.C_STORE_RQ
    is_response = is_cancel = False
    has_data_set = True

    def __init__(self, form: "_Requests", message_id: bytes, uid: bytes) -> None:
        self.values = {**form.values, Element.MESSAGE_ID: message_id, Element.AFFECTED_SOP_INSTANCE_UID: uid}
        self._form = form
        self._message_id = message_id
        self._uid = uid

    def instance(self) -> tuple[str, str]:
        """See `Command`."""
        return self._form.sop_class_uid, self._uid.decode("ascii").rstrip("\0")

    def success(self) -> bytes:
        """See `Command`."""
        return self._form.answer_head + self._message_id + self._form.answer_middle + self._uid


class FamiliarResponse(Command):
    """A C-STORE-RSP of a known form."""

    __slots__ = ()

    field = Field.C_STORE_RSP
    is_response = True
    is_cancel = has_data_set = False

    def __init__(self, form: "_Form", message_id: bytes, uid: bytes) -> None:
        self.values = {
            **form.values,
            Element.MESSAGE_ID_RESPONDED_TO: message_id,
            Element.AFFECTED_SOP_INSTANCE_UID: uid,
        }


class _Form:
    """What command sets have in common: each byte but those of the message ID and of the SOP instance UID."""

    kind: ClassVar[Any]  # of command: made of the form, a message ID and a UID

    def __init__(self, data: bytes, message_id: slice, uid: slice, values: Mapping[int, bytes]) -> None:
        self.values = values
        self.message_id, self.uid = message_id, uid  # where they lie
        self.places = _around(message_id, uid)
        before, between, behind = self.places
        self.parts = data[before], data[between], data[behind]


class _Requests(_Form):
    """Of requests whose response is a success as long as that of the first."""

    kind = FamiliarRequest

    def __init__(self, data: bytes, message_id: slice, uid: slice, command: Command, answer: bytes) -> None:
        """`answer` is the response with the status success."""
        super().__init__(data, message_id, uid, command.values)
        self.sop_class_uid = command.text(Element.AFFECTED_SOP_CLASS_UID)
        answered = answer.index(ELEMENT.pack(0, Element.MESSAGE_ID_RESPONDED_TO, 2)) + ELEMENT.size
        self.answer_head = answer[:answered]
        self.answer_middle = answer[answered + 2 : len(answer) - (uid.stop - uid.start)]


class _Responses(_Form):
    """Of responses with one status."""

    kind = FamiliarResponse


class Familiar:
    """Decodes the command sets of one association, and knows those again that lie as earlier ones."""

    def __init__(self) -> None:
        self._forms: dict[int, _Form] = {}  # by length

    def decode(self, data: bytes) -> Command:
        """See `command.decode`."""
        form = self._forms.get(len(data))
        if form is not None:
            before, between, behind = form.places
            uid = data[form.uid]
            if (data[before], data[between], data[behind]) == form.parts and EVEN_UID.fullmatch(uid):
                known: Command = form.kind(form, data[form.message_id], uid)
                return known
        command = decode(data)
        form = _form_of(data, command)
        if form is not None and len(self._forms) < _MOST_FORMS:
            self._forms[len(data)] = form
        return command


def _around(message_id: slice, uid: slice) -> tuple[slice, slice, slice]:
    """What lies before, between and behind the two."""
    first, second = sorted((message_id, uid), key=lambda each: each.start)
    return slice(0, first.start), slice(first.stop, second.start), slice(second.stop, None)


def _form_of(data: bytes, command: Command) -> _Form | None:
    """The form of a command set of C-STORE that names its instance, and nothing twice; None for any other.

    None as well for a request that has no data set or cannot be answered at once, and for a response with a data set.
    """
    found = list(places(data))
    lies = dict(found)
    if len(lies) < len(found) or Element.AFFECTED_SOP_INSTANCE_UID not in lies:
        return None
    uid = lies[Element.AFFECTED_SOP_INSTANCE_UID]
    if command.field == Field.C_STORE_RQ and command.has_data_set:
        answer = command.success()
        return _Requests(data, lies[Element.MESSAGE_ID], uid, command, answer) if answer is not None else None
    message_id = lies.get(Element.MESSAGE_ID_RESPONDED_TO)
    if command.field == Field.C_STORE_RSP and not command.has_data_set and message_id is not None:
        is_number = message_id.stop - message_id.start == 2
        return _Responses(data, message_id, uid, command.values) if is_number else None
    return None
