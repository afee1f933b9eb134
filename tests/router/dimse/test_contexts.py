"""Which presentation contexts are accepted."""

import pytest
from pynetdicom.sop_class import _QR_CLASSES, _STORAGE_CLASSES

from router.dimse.associate import AssociateRequest, ProposedContext, Role, UserInformation
from router.dimse.contexts import VERIFICATION, answer, is_storage

CT, IMPLICIT, EXPLICIT, JPEG = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.4.50",
)
NO_STUDY = {
    "1.2.840.10008.5.1.4.1.1.200.1",
    "1.2.840.10008.5.1.4.1.1.200.3",
    "1.2.840.10008.5.1.4.1.1.200.7",
    "1.2.840.10008.5.1.4.1.1.201.1",
}


def result(abstract: str, *transfer: str, roles: tuple[Role, ...] = ()) -> tuple[int, str]:
    """The answer to one proposed context."""
    request = AssociateRequest("A", "B", (ProposedContext(1, abstract, transfer),), UserInformation(0, roles=roles))
    answered = answer(request, 131072)[0][0]
    return answered.result, answered.transfer_syntax


def test_every_storage_class_of_the_standard_is_accepted() -> None:
    """All storage classes that pynetdicom lists are storage to us, but those that belong to no study."""
    assert [uid for uid in _STORAGE_CLASSES.values() if not is_storage(uid) and uid not in NO_STUDY] == []


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.5.1.4.1.1.3",
        "1.2.840.10008.5.1.4.1.1.20.1",
        "1.2.840.10008.5.1.4.1.1.5",
        "1.2.840.10008.5.1.4.1.1.40",
        "1.2.840.113619.4.26",
        "1.2.276.0.99",
        "1.2.840.10008.5.1.4.38.1",
        "1.2.840.10008.5.1.1.27",
    ],
)
def test_retired_private_and_unknown_classes_are_accepted(uid: str) -> None:
    """Retired, nameless, private and unknown classes are storage, hanging protocols and stored prints too."""
    assert is_storage(uid)


@pytest.mark.parametrize(
    "uid",
    [
        *_QR_CLASSES.values(),
        "1.2.840.10008.1.20.1",
        "1.2.840.10008.5.1.4.31",
        "1.2.840.10008.1.2",
        "1.2.840.10008.3.1.2.3.3",
        "1.2.840.10008.1.3.10",
        "",
        "x",
        "1" * 65,
    ],
)
def test_known_classes_of_other_services_are_not_accepted(uid: str) -> None:
    """Queries, commitment, worklists, procedure steps, transfer syntaxes and nonsense are no storage."""
    assert not is_storage(uid)
    assert result(uid, IMPLICIT)[0] == 3


def test_the_first_proposed_transfer_syntax_wins() -> None:
    """The sender's first choice is taken, whatever it is."""
    assert result(CT, JPEG, IMPLICIT) == (0, JPEG)
    assert result(CT, "1.2.3.4.5", IMPLICIT) == (0, "1.2.3.4.5")
    assert result(VERIFICATION, EXPLICIT) == (0, EXPLICIT)


def test_a_context_without_transfer_syntax_is_not_accepted() -> None:
    """Nothing proposed, nothing accepted (result 4)."""
    assert result(CT)[0] == 4


def test_roles_are_answered() -> None:
    """The SCU role is allowed, the SCP role not; a requestor that would only be SCP gets no context."""
    both = AssociateRequest(
        "A",
        "B",
        (ProposedContext(1, CT, (IMPLICIT,)),),
        UserInformation(0, asynchronous=True, roles=(Role(CT, scu=True, scp=True),)),
    )
    contexts, user = answer(both, 131072)
    assert contexts[0].result == 0
    assert user == UserInformation(131072, asynchronous=True, roles=(Role(CT, scu=True, scp=False),))
    assert result(CT, IMPLICIT, roles=(Role(CT, scu=False, scp=True),))[0] == 1


def test_roles_of_classes_that_are_not_proposed_are_not_answered() -> None:
    """Thousands of roles in a request make no answer that is longer than its length fields can say."""
    roles = tuple(Role(f"2.25.{number}", scu=True, scp=False) for number in range(5000))
    proposed = (ProposedContext(1, CT, (IMPLICIT,)),)
    assert answer(AssociateRequest("A", "B", proposed, UserInformation(0, roles=roles)), 131072)[1].roles == ()
