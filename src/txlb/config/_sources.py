"""
From nodes to the sources of logins.
"""

from __future__ import annotations

import os
from typing import Any

from txlb.config import _schema as schema
from txlb.config._accessmap import AccessMap
from txlb.config._checkersource import CheckerSource
from txlb.config._ldapsource import LDAPSource
from txlb.config._nodes import Node
from txlb.config._problems import Report
from txlb.config._radiussource import RADIUSSource
from txlb.errors import ModelError

_SOURCES = (schema.LDAP, schema.RADIUS, schema.CHECKER)

#: The attributes that are paths.
_PATHS = ("ca", "bindPasswordFile", "secretFile")


def sourceNodes(admin: Node) -> list[Node]:
    """
    Return the elements of sources other than users, in their order.
    """
    return [child for child in admin.children if child.spec in _SOURCES]


class SourcesBuilder:
    """
    Makes the sources of logins of a file.

    @param folder: the folder at which relative paths begin.
    """

    def __init__(self, folder: str, problem: Report, note: Report) -> None:
        self._folder = folder
        self._problem = problem
        self._note = note

    def build(self, admin: Node) -> dict[str, Any]:
        """
        Make the sources: the fields of L{txlb.config.AdminSettings} for them. They are of no
        use if a problem was reported.
        """
        nodes = sourceNodes(admin)
        users = [admin.children.index(user) for user in admin.all(schema.USER)]
        before = [each for each in nodes if users and admin.children.index(each) < users[0]]
        made = [self._source(node) for node in nodes]
        return {
            "sources": tuple(each for each in made if each is not None),
            "usersAt": len(before),
        }

    def _source(self, node: Node) -> LDAPSource | RADIUSSource | CheckerSource | None:
        if node.wrong or any(child.wrong for child in node.children):
            return None
        settings = dict(node.settings)
        for name in _PATHS:
            if settings.get(name) is not None:
                settings[name] = os.path.join(self._folder, settings[name])
                if not os.path.isfile(settings[name]):
                    self._note(
                        node.line,
                        f"{name} of {node.label} is not there yet: no file {settings[name]}",
                    )
        try:
            if node.spec is schema.CHECKER:
                return CheckerSource(**settings)
            maps = tuple(AccessMap(**each.settings) for each in node.all(schema.MAP))
            return (LDAPSource if node.spec is schema.LDAP else RADIUSSource)(**settings, maps=maps)
        except ModelError as error:
            self._problem(node.line, str(error))
            return None
