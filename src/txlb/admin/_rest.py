"""
Places of commands in the tree of the REST interface.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rest:
    """
    The method by which a command changes a resource of the tree. The resource is that of the
    service, group, host or listener that the first arguments of the command name.

    Of the commands that share a method and a resource, the members of the body tell the one
    that is meant.

    @ivar method: PATCH, PUT or DELETE.
    @ivar part: the name of a part of the resource; empty for the resource itself.
    @ivar member: the member of the body that means this command; empty if it is meant by
        those that are its arguments.
    @ivar value: the value of that member.
    """

    method: str
    part: str = ""
    member: str = ""
    value: object = None
