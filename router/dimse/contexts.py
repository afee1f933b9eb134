"""What an acceptor answers to each proposed presentation context and role; nothing is read from the wire here."""

import re
from functools import lru_cache

from pydicom.config import IGNORE
from pydicom.uid import UID

from router.dimse.associate import AnsweredContext, AssociateRequest, ProposedContext, Role, UserInformation

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_ACCEPTED, _NOT_WANTED, _NO_ABSTRACT_SYNTAX, _NO_TRANSFER_SYNTAX = 0, 1, 3, 4  # PS3.8 table 9-18
_UID = re.compile(r"[0-9.]{1,64}")
_IMAGE_AND_OBJECT_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Its name says storage, but no instance of it is sent by C-STORE (PS3.3 F)
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"


def is_storage(sop_class_uid: str) -> bool:
    """True for every storage SOP class, retired ones too, and for every UID that no dictionary knows."""
    # what is no UID may be as long as an A-ASSOCIATE, and is not to be remembered
    return bool(_UID.fullmatch(sop_class_uid)) and _is_storage(sop_class_uid)


@lru_cache(maxsize=2048)
def _is_storage(sop_class_uid: str) -> bool:
    uid = UID(sop_class_uid, validation_mode=IGNORE)
    if uid.name == sop_class_uid and not uid.type:  # not in the dictionary
        return True
    if uid.type != "SOP Class" or sop_class_uid == _MEDIA_DIRECTORY or "Commitment" in uid.name:
        return False
    # two retired classes have lost their names but not their place
    return "Storage" in uid.name or (not uid.name and sop_class_uid.startswith(_IMAGE_AND_OBJECT_STORAGE))


def answer(request: AssociateRequest, pdu_bytes: int) -> tuple[tuple[AnsweredContext, ...], UserInformation]:
    """The answer to each context in order, and our side of the user information; `pdu_bytes` is our maximum.

    Roles of SOP classes that are not proposed are not answered, so that no request makes a longer answer than fits.
    """
    roles = {role.sop_class_uid: role for role in request.user.roles}
    contexts = tuple(_answer_one(context, roles.get(context.abstract_syntax)) for context in request.contexts)
    proposed = {context.abstract_syntax for context in request.contexts}
    answered_roles = tuple(
        Role(role.sop_class_uid, role.scu, scp=False)
        for role in roles.values()
        if role.sop_class_uid in proposed and _UID.fullmatch(role.sop_class_uid)
    )
    return contexts, UserInformation(pdu_bytes, request.user.asynchronous, answered_roles)


def _answer_one(context: ProposedContext, role: Role | None) -> AnsweredContext:
    """The first transfer syntax proposed wins: an instance is kept in the syntax its sender likes best."""
    syntaxes = [syntax for syntax in context.transfer_syntaxes if _UID.fullmatch(syntax)]
    if context.abstract_syntax != VERIFICATION and not is_storage(context.abstract_syntax):
        result = _NO_ABSTRACT_SYNTAX
    elif not syntaxes:
        result = _NO_TRANSFER_SYNTAX
    elif role is not None and not role.scu:
        result = _NOT_WANTED  # the requestor would only be SCP, and nothing is sent to it on this association
    else:
        result = _ACCEPTED
    return AnsweredContext(context.context_id, result, syntaxes[0] if syntaxes else IMPLICIT_LITTLE_ENDIAN)
