"""
Listeners, as configured.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, dataclass, field

from txlb.model._addresses import AddressLike, ListenAddress, TCPAddress, placeOf
from txlb.model._addresskinds import LISTEN_ADDRESS
from txlb.model._made import Made, given
from txlb.model.kinds import textOf
from txlb.model.settings import Since, checkSettings, setting


@dataclass(frozen=True, slots=True)
class Listener:
    """
    One place where a service listens. An option that each listener of a service may
    have for itself is a field here. The mode, user and group of a UNIX socket belong to
    its address.

    @ivar address: its address. It can be given as a text or as a pair of host and port.
    """

    address: Made[ListenAddress, AddressLike] = field(
        # There is none. Type checkers look at descriptors if there is one.
        default=given(MISSING),
        metadata=setting(LISTEN_ADDRESS, "The address.", word="ip", since=Since.OLD),
    )

    def __post_init__(self) -> None:
        checkSettings(self, "a listener")

    @property
    def place(self) -> ListenAddress:
        """
        The address without the rights of a socket's file. Two listeners can't have the
        same place at once.
        """
        return placeOf(self.address)

    @property
    def isFixed(self) -> bool:
        """
        Whether the configuration alone says where it listens. The system chooses the
        port if the configured one is 0.
        """
        return not isinstance(self.address, TCPAddress) or self.address.port != 0

    def __str__(self) -> str:
        options = [
            f"{each.name}={textOf(value)}"
            for each in dataclasses.fields(self)[1:]
            if each.repr and (value := getattr(self, each.name)) != each.default
        ]
        return " ".join([str(self.address), *options])


#: A listener, or an address that stands for a listener without options.
ListenerLike = Listener | AddressLike


def listenerOf(value: ListenerLike) -> Listener:
    """
    Make a listener of an address.

    @param value: an address as L{parseListenAddress} reads it, or a listener, which is
        returned as it is.
    @raise AddressError: it is no address.
    """
    return value if isinstance(value, Listener) else Listener(value)
