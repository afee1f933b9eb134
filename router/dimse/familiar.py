"""C-STORE requests that lie as an earlier one of their association: read and answered without going through elements.

Of the requests a scanner sends for a study only message ID and SOP instance UID differ. Says nothing of any other.
"""

from router.dimse.command import ELEMENT, EVEN_UID, Command, Element, Field, decode, places

_MOST_FORMS = 64  # lengths of requests, on one association


class FamiliarRequest(Command):
    """A C-STORE-RQ of a known form."""

    __slots__ = ("_form", "_message_id", "_uid")

    field = Field.C_STORE_RQ
    is_response = is_cancel = False
    has_data_set = True

    def __init__(self, form: "_Form", message_id: bytes, uid: bytes) -> None:
        super().__init__({**form.values, Element.MESSAGE_ID: message_id, Element.AFFECTED_SOP_INSTANCE_UID: uid})
        self._form = form
        self._message_id = message_id
        self._uid = uid

    def success(self) -> bytes:
        """See `Command`."""
        return self._form.answer_head + self._message_id + self._form.answer_middle + self._uid


class _Form:
    """What requests have in common: each byte but those of the message ID and of the SOP instance UID."""

    def __init__(self, request: bytes, message_id: slice, uid: slice, values: dict[int, bytes], answer: bytes) -> None:
        """`answer` is the response with the status success."""
        self.values = values
        self._message_id, self._uid = message_id, uid
        self._parts = tuple((part, request[part]) for part in _between(message_id, uid))
        answered = answer.index(ELEMENT.pack(0, Element.MESSAGE_ID_RESPONDED_TO, 2)) + ELEMENT.size
        self.answer_head = answer[:answered]
        self.answer_middle = answer[answered + 2 : len(answer) - (uid.stop - uid.start)]

    def read(self, data: bytes) -> FamiliarRequest | None:
        """The request in `data`, as long as all of this form are; None if it has another form."""
        for part, bytes_of_all in self._parts:
            if data[part] != bytes_of_all:
                return None
        uid = data[self._uid]
        return FamiliarRequest(self, data[self._message_id], uid) if EVEN_UID.fullmatch(uid) else None


class Requests:
    """Decodes the command sets of one association, and knows those again that lie as earlier ones."""

    def __init__(self) -> None:
        self._forms: dict[int, _Form] = {}  # by length

    def decode(self, data: bytes) -> Command:
        """See `command.decode`."""
        form = self._forms.get(len(data))
        request = form.read(data) if form is not None else None
        if request is not None:
            return request
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
    """The form of a C-STORE-RQ that can be answered at once and names nothing twice; None for any other command."""
    if command.field != Field.C_STORE_RQ or not command.has_data_set:
        return None
    answer = command.success()
    if answer is None:
        return None
    found = list(places(data))
    lies = dict(found)
    if len(lies) < len(found):
        return None
    message_id, uid = lies[Element.MESSAGE_ID], lies[Element.AFFECTED_SOP_INSTANCE_UID]
    return _Form(data, message_id, uid, dict(command.values), answer)
