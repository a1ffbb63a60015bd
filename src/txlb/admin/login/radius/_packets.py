"""
The packets of RADIUS: RFC 2865. pyrad makes and checks them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyrad.packet import AuthPacket, Packet

#: The longest packet: RFC 2865, section 3.
MAX_PACKET = 4096

#: The longest password: RFC 2865, section 5.2.
MAX_PASSWORD = 128

ACCEPT, REJECT, CHALLENGE = 2, 3, 11

_REQUEST = 1
_USER_NAME, _USER_PASSWORD, _REPLY_MESSAGE, _STATE = 1, 2, 18, 24
_CALLING_STATION, _NAS_IDENTIFIER, _SESSION_TIMEOUT, _PROMPT = 31, 32, 27, 76
_VENDOR, _MESSAGE_AUTHENTICATOR = 26, 80
_NAMES = {"Filter-Id": 11, "Class": 25}

#: What the administrator of a server does that does not protect its answers.
REMEDY = (
    "its answers have no Message-Authenticator, so that they can be forged (CVE-2024-3596), and "
    "are not believed. Update the server. An old FreeRADIUS adds one by: update reply { "
    "Message-Authenticator := 0x00 } in post-auth, and in its section Post-Auth-Type REJECT and "
    "Challenge too"
)


class PacketIgnored(Exception):
    """
    A datagram that is not the answer. It may be forged, so the real one is waited for.
    """


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An answer that is the server's.

    @ivar code: L{ACCEPT}, L{REJECT} or L{CHALLENGE}.
    @ivar attributes: the values, by the number of an attribute, or by those of a vendor and
        of an attribute of that vendor.
    """

    code: int
    attributes: dict[object, tuple[bytes, ...]]

    def texts(self, name: str) -> tuple[str, ...]:
        """
        Return the values of an attribute.

        @param name: as in L{txlb.config.RADIUSSource}.
        """
        key: object = _NAMES.get(name)
        if key is None:
            vendor, _, number = name.partition("/")
            key = (int(vendor), int(number))
        return tuple(each.decode("utf-8", "replace") for each in self.attributes.get(key, ()))

    @property
    def message(self) -> str:
        """
        The text for the person, in one line.
        """
        text = b" ".join(self.attributes.get(_REPLY_MESSAGE, ())).decode("utf-8", "replace")
        return "".join(each if each.isprintable() else " " for each in text)[:500].strip()

    @property
    def state(self) -> tuple[bytes, ...]:
        """
        The state that the next request repeats.
        """
        return self.attributes.get(_STATE, ())[:1]

    @property
    def echo(self) -> bool:
        """
        Whether the answer of the person may be shown while it is typed.
        """
        return self._number(_PROMPT) == 1

    @property
    def lasts(self) -> int:
        """
        The seconds that a session may last; 0 for no bound.
        """
        return self._number(_SESSION_TIMEOUT)

    def _number(self, key: int) -> int:
        values = self.attributes.get(key, ())
        return int.from_bytes(values[0], "big") if values and len(values[0]) == 4 else 0


def vendorAttributes(values: Iterable[bytes]) -> dict[object, tuple[bytes, ...]]:
    """
    Read attributes of vendors: RFC 2865, section 5.26. One that makes no sense is left out, as
    vendors may have formats of their own.

    @return: the values by the numbers of the vendor and of its attribute.
    """
    found: dict[object, tuple[bytes, ...]] = {}
    for value in values:
        vendor, place = int.from_bytes(value[:4], "big"), 4
        while place + 2 <= len(value):
            number, size = value[place], value[place + 1]
            if size < 2 or place + size > len(value):
                break
            key = (vendor, number)
            found[key] = (*found.get(key, ()), value[place + 2 : place + size])
            place += size
    return found


class Request:
    """
    An Access-Request. Its first attribute is a Message-Authenticator.

    @ivar data: the packet.
    """

    def __init__(
        self,
        secret: bytes,
        user: str,
        password: bytes,
        nasIdentifier: str,
        station: str,
        state: tuple[bytes, ...] = (),
    ) -> None:
        self._packet: Any = AuthPacket(
            _REQUEST, secrets.randbelow(256), secret, secrets.token_bytes(16)
        )
        self._packet.add_message_authenticator()
        hidden = self._packet.PwCrypt(password)
        self._packet[_USER_NAME] = [user.encode("utf-8")]
        self._packet[_USER_PASSWORD] = [hidden]
        self._packet[_NAS_IDENTIFIER] = [nasIdentifier.encode("ascii")]
        self._packet[_CALLING_STATION] = [station.encode("ascii", "replace")[:253]]
        if state:
            self._packet[_STATE] = list(state)
        self.data: bytes = self._packet.RequestPacket()
        self._secret = secret

    def read(self, data: bytes) -> Answer:
        """
        Read a datagram as the answer.

        @raise PacketIgnored: it is none, or not protected. The message says why.
        """
        if len(data) > MAX_PACKET:
            raise PacketIgnored("an answer is too long")
        try:
            reply: Any = Packet(packet=data, secret=self._secret)
            there: dict[object, tuple[bytes, ...]] = {
                key: tuple(values) for key, values in dict.items(reply)
            }
            there.update(vendorAttributes(there.get(_VENDOR, ())))
        except Exception as error:  # noqa: BLE001 - pyrad raises several kinds
            raise PacketIgnored(f"an answer makes no sense ({type(error).__name__})") from None
        if reply.id != self._packet.id:
            raise PacketIgnored("an answer is for another request")
        if not self._verifies(reply, data, enforce=False):
            raise PacketIgnored("an answer is signed with another secret; compare secretFile")
        if len(there.get(_MESSAGE_AUTHENTICATOR, ())) != 1 or not self._verifies(reply, data):
            raise PacketIgnored(REMEDY)
        if reply.code not in {ACCEPT, REJECT, CHALLENGE}:
            raise PacketIgnored(f"an answer has the code {reply.code}")
        return Answer(reply.code, there)

    def _verifies(self, reply: Any, data: bytes, enforce: bool = True) -> bool:
        try:
            return bool(self._packet.VerifyReply(reply, data, enforce_ma=enforce))
        except Exception:  # noqa: BLE001 - a reply for which this raises is not right
            return False
