"""C-STORE requests and responses that lie as an earlier one of their association: read without going through elements.

Of those of a study only message ID and SOP instance UID differ. Says nothing of any other.
"""

from abc import ABC, abstractmethod

from router.dimse.command import ELEMENT, EVEN_UID, Command, Element, Field, decode, places

_MOST_FORMS = 64  # lengths of command sets, on one association


class FamiliarRequest(Command):
    """A C-STORE-RQ of a known form, which is answered at once, too."""

    __slots__ = ("_form", "_message_id", "_uid")

    field = Field.C_STORE_RQ
    is_response = is_cancel = False
    has_data_set = True

    def __init__(self, form: "_Requests", message_id: bytes, uid: bytes) -> None:
        super().__init__({**form.values, Element.MESSAGE_ID: message_id, Element.AFFECTED_SOP_INSTANCE_UID: uid})
        self._form = form
        self._message_id = message_id
        self._uid = uid

    def success(self) -> bytes:
        """See `Command`."""
        return self._form.answer_head + self._message_id + self._form.answer_middle + self._uid


class FamiliarResponse(Command):
    """A C-STORE-RSP of a known form."""

    __slots__ = ()

    field = Field.C_STORE_RSP
    is_response = True
    is_cancel = has_data_set = False


class _Form(ABC):
    """What command sets have in common: each byte but those of the message ID and of the SOP instance UID."""

    def __init__(self, data: bytes, message_id: slice, uid: slice, values: dict[int, bytes]) -> None:
        self.values = values
        self._message_id, self._uid = message_id, uid
        self._parts = tuple((part, data[part]) for part in _between(message_id, uid))

    def read(self, data: bytes) -> Command | None:
        """What is in `data`, as long as all of this form are; None if it has another form."""
        for part, bytes_of_all in self._parts:
            if data[part] != bytes_of_all:
                return None
        uid = data[self._uid]
        return self._made(data[self._message_id], uid) if EVEN_UID.fullmatch(uid) else None

    @abstractmethod
    def _made(self, message_id: bytes, uid: bytes) -> Command: ...


class _Requests(_Form):
    """Of requests whose response is a success as long as that of the first."""

    def __init__(self, data: bytes, message_id: slice, uid: slice, values: dict[int, bytes], answer: bytes) -> None:
        """`answer` is the response with the status success."""
        super().__init__(data, message_id, uid, values)
        answered = answer.index(ELEMENT.pack(0, Element.MESSAGE_ID_RESPONDED_TO, 2)) + ELEMENT.size
        self.answer_head = answer[:answered]
        self.answer_middle = answer[answered + 2 : len(answer) - (uid.stop - uid.start)]

    def _made(self, message_id: bytes, uid: bytes) -> Command:
        return FamiliarRequest(self, message_id, uid)


class _Responses(_Form):
    """Of responses with one status."""

    def _made(self, message_id: bytes, uid: bytes) -> Command:
        values = self.values.copy()
        values[Element.MESSAGE_ID_RESPONDED_TO], values[Element.AFFECTED_SOP_INSTANCE_UID] = message_id, uid
        return FamiliarResponse(values)


class Familiar:
    """Decodes the command sets of one association, and knows those again that lie as earlier ones."""

    def __init__(self) -> None:
        self._forms: dict[int, _Form] = {}  # by length

    def decode(self, data: bytes) -> Command:
        """See `command.decode`."""
        form = self._forms.get(len(data))
        known = form.read(data) if form is not None else None
        if known is not None:
            return known
        command = decode(data)
        form = _form_of(data, command)
        if form is not None and len(self._forms) < _MOST_FORMS:
            self._forms[len(data)] = form
        return command


def _between(message_id: slice, uid: slice) -> tuple[slice, slice, slice]:
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
    uid, values = lies[Element.AFFECTED_SOP_INSTANCE_UID], dict(command.values)
    if command.field == Field.C_STORE_RQ and command.has_data_set:
        answer = command.success()
        return _Requests(data, lies[Element.MESSAGE_ID], uid, values, answer) if answer is not None else None
    message_id = lies.get(Element.MESSAGE_ID_RESPONDED_TO)
    if command.field == Field.C_STORE_RSP and not command.has_data_set and message_id is not None:
        is_number = message_id.stop - message_id.start == 2
        return _Responses(data, message_id, uid, values) if is_number else None
    return None
