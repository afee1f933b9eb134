"""All that a request of pynetdicom's library can negotiate; its programs are in test_pynetdicom_peers."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import PositronEmissionTomographyImageStorage, Verification

from tests.support.appliance import RunningAppliance
from tests.support.keeping import assert_kept
from tests.support.phantoms import phantom

pytestmark = [pytest.mark.xdist_group("interoperability negotiation")]

PET = str(PositronEmissionTomographyImageStorage)


def window(invoked: int, performed: int) -> AsynchronousOperationsWindowNegotiation:
    """An asynchronous operations window; 0 is without limit."""
    item = AsynchronousOperationsWindowNegotiation()
    item.maximum_number_operations_invoked, item.maximum_number_operations_performed = invoked, performed
    return item


def role(scu: bool, scp: bool, sop_class_uid: str = PET) -> SCP_SCU_RoleSelectionNegotiation:
    """The roles of the requestor."""
    item = SCP_SCU_RoleSelectionNegotiation()
    item.sop_class_uid, item.scu_role, item.scp_role = sop_class_uid, scu, scp
    return item


def extended() -> list[Any]:
    """Extended and common extended negotiation of the storage class."""
    own, common = SOPClassExtendedNegotiation(), SOPClassCommonExtendedNegotiation()
    own.sop_class_uid, own.service_class_application_information = PET, b"\x02\x00\x03\x00\x01\x00"
    common.sop_class_uid, common.service_class_uid = PET, "1.2.840.10008.4.2"
    return [own, common]


def identity(kind: int, *, is_answered: bool) -> UserIdentityNegotiation:
    """A user identity: 1 name, 2 with passcode, 3 Kerberos, 4 SAML, 5 JWT."""
    item = UserIdentityNegotiation()
    item.user_identity_type, item.primary_field = kind, b"somebody"
    item.secondary_field = b"secret" if kind == 2 else b""
    item.positive_response_requested = is_answered
    return item


@contextmanager
def associated(appliance: RunningAppliance, items: Sequence[Any]) -> Iterator[Association]:
    """An association of pynetdicom's library that negotiates these items."""
    contexts = [build_context(Verification), build_context(PET, "1.2.840.10008.1.2.1")]
    association = AE("LIBRARY").associate(
        "127.0.0.1", appliance.port, contexts=contexts, ae_title="MICROPACS", ext_neg=list(items)
    )
    try:
        yield association
    finally:
        association.release()


@pytest.mark.parametrize(
    "items",
    [
        [window(5, 5)],
        [window(0, 0)],
        [role(True, False)],
        [role(True, True), role(True, True, "1.2.840.10008.5.1.4.1.1.2")],
        extended(),
        *([identity(kind, is_answered=is_answered)] for kind in (1, 2, 3, 4, 5) for is_answered in (False, True)),
        [window(2, 3), role(True, True), *extended(), identity(2, is_answered=True)],
    ],
    ids=lambda items: "+".join(type(item).__name__.removesuffix("Negotiation") for item in items),
)
def test_whatever_is_negotiated_a_store_goes_on(
    items: list[Any], appliance: RunningAppliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window is answered with one operation, roles with SCU alone, the rest not at all; echo and store succeed."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    [path] = phantom(tmp_path)
    with associated(appliance, items) as association:
        assert association.is_established
        told = association.acceptor
        kinds = {type(item) for item in items}
        expects_window = AsynchronousOperationsWindowNegotiation in kinds
        assert told.asynchronous_operations == (1, 1)
        assert expects_window == any(
            isinstance(each, AsynchronousOperationsWindowNegotiation) for each in _answers(told)
        )
        roles = {uid: (item.scu_role, item.scp_role) for uid, item in told.role_selection.items()}
        assert roles == ({PET: (True, False)} if SCP_SCU_RoleSelectionNegotiation in kinds else {})
        assert told.user_identity is None
        assert association.send_c_echo().Status == 0
        time.sleep(0.1)  # the reactor of the library sleeps between two requests
        assert association.send_c_store(path).Status == 0
    assert_kept(appliance, [path])


def test_a_requestor_that_would_be_served_gets_no_context(appliance: RunningAppliance) -> None:
    """Who proposes itself as SCP alone, as for C-GET, is told that the context is not wanted."""
    with associated(appliance, [role(False, True)]) as association:
        assert [context.result for context in association.rejected_contexts] == [1]
        assert association.send_c_echo().Status == 0


def _answers(told: Any) -> list[Any]:
    """The user information items of the A-ASSOCIATE-AC."""
    return list(told.primitive.user_information)
