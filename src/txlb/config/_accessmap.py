"""
From what a login server tells of a user to the access of the user.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from txlb.config._adminuser import ACCESS_WORDS
from txlb.errors import ModelError
from txlb.model import checkItems
from txlb.model.kinds import Text, Word
from txlb.model.settings import checkSettings, setting, settingField

_TOLD = Text(r"[^\x00-\x1f]+", "a text without control characters")


@dataclass(frozen=True, slots=True)
class AccessMap:
    """
    The access of users of which a server tells a thing.

    @ivar group: in a L{txlb.config.LDAPSource}, a group.
    @ivar value: in a L{txlb.config.RADIUSSource}, a value of the attribute.
    """

    access: str = field(
        metadata=setting(Word(ACCESS_WORDS), "The access: ``full``, ``operator`` or ``readonly``.")
    )
    group: str | None = settingField(
        None,
        _TOLD,
        "In ``<ldap>``: a group, by its distinguished name, or by the first value of that alone, "
        "such as ``ops`` for ``cn=ops,ou=groups,dc=example,dc=org``. Capital letters don't matter.",
        defaultDoc="none; it is for <ldap>",
    )
    value: str | None = settingField(
        None,
        _TOLD,
        "In ``<radius>``: a value of the attribute.",
        defaultDoc="none; it is for <radius>",
    )

    def __post_init__(self) -> None:
        checkSettings(self, "<map>")


def checkMaps(given: object, has: str, lacks: str, owner: str) -> tuple[AccessMap, ...]:
    """
    Check the maps of a source.

    @param has: the field that each has.
    @param lacks: the field that each lacks.
    @param owner: the name of the source, for messages.
    @raise ModelError: something is wrong with them.
    """
    maps = tuple(checkItems(given, AccessMap, "maps"))
    if any(getattr(each, has) is None or getattr(each, lacks) is not None for each in maps):
        raise ModelError(f"a <map> in {owner} has {has} and access, and no {lacks}")
    if not maps:
        raise ModelError(
            f"{owner} has no <map>, so that no user would have access; write one, such as "
            f'<map {has}="ops" access="operator"/>'
        )
    return maps


def accessOf(maps: Iterable[AccessMap]) -> str | None:
    """
    Return the highest access of some maps; L{None} if there are none.
    """
    # The words stand with the highest access first.
    return min((each.access for each in maps), key=ACCESS_WORDS.index, default=None)
