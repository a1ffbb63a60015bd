"""
A token of a program.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.config._adminuser import ACCESS_WORDS
from txlb.config._tokenhash import TokenHash
from txlb.model.kinds import Name, Word
from txlb.model.settings import setting


@dataclass(frozen=True, slots=True)
class AdminToken:
    """
    A token by which a program uses the REST interface.

    @ivar hash: the hash of the token, as C{txlb token} prints it.
    """

    name: str = field(metadata=setting(Name("token"), "Its name, for events and logs."))
    hash: str = field(
        repr=False, metadata=setting(TokenHash(), "The hash of the token, from ``txlb token``.")
    )
    access: str = field(
        metadata=setting(
            Word(ACCESS_WORDS), "What the program may do, as the ``access`` of a ``<user>``."
        )
    )
