"""
The order of the messages of an ssh connection.

An exchange of keys has its messages in one order (RFC 4253, section 7). If other messages may
come during it, an attacker on the way can drop messages from the beginning of a connection
(CVE-2023-48795, "Terrapin"). In a I{strict} exchange, which OpenSSH's C{PROTOCOL} describes in
section 1.10, no others may come, and packets are numbered from 0 again with the new keys.
"""

from __future__ import annotations

from enum import Enum

from twisted.conch.ssh import transport

#: The message that begins a key exchange by any of the algorithms that are offered.
MSG_KEX_INIT = transport.MSG_KEX_DH_GEX_REQUEST_OLD

#: Messages without a meaning (C{SSH_MSG_IGNORE} and the like) that may come before the first
#: keys. OpenSSH's client sends none.
MAX_MEANWHILE = 4

#: The names in the first messages of both sides that ask for a strict exchange.
STRICT_SERVER = b"kex-strict-s-v00@openssh.com"
STRICT_CLIENT = b"kex-strict-c-v00@openssh.com"

_MEANWHILE = {transport.MSG_IGNORE, transport.MSG_UNIMPLEMENTED, transport.MSG_DEBUG}


class KeyExchange(Enum):
    """
    The state of an exchange of keys.
    """

    #: The client has to send its offer.
    WAITING = "waiting"
    #: Both sides have agreed on algorithms.
    AGREED = "agreed"
    #: This side has sent all, and uses the new keys for its packets.
    SENT = "sent"
    #: Both sides use the new keys.
    DONE = "done"


#: When each message of an exchange may come.
_WHEN = {
    transport.MSG_KEXINIT: (KeyExchange.WAITING, KeyExchange.DONE),
    MSG_KEX_INIT: (KeyExchange.AGREED,),
    transport.MSG_NEWKEYS: (KeyExchange.SENT,),
}


class MessageOrder:
    """
    The order of the messages of one connection. Owned by its protocol, which says when the
    state changes.

    @ivar exchange: the state of the exchange of keys that is under way or was the last one.
    @ivar strict: whether exchanges are strict.
    """

    def __init__(self) -> None:
        self.exchange = KeyExchange.WAITING
        self.strict = False
        self._first = True
        self._meanwhile = 0

    def mayCome(self, number: int, loggedIn: bool) -> bool:
        """
        Decide whether a message may come now.

        @param number: the number that says which message it is.
        @param loggedIn: whether the client has logged in.
        """
        if number in _WHEN:
            again = number == transport.MSG_KEXINIT and self.exchange is KeyExchange.DONE
            # New keys before a login would be as many exchanges as a client likes.
            return self.exchange in _WHEN[number] and (loggedIn or not again)
        if self.exchange is KeyExchange.DONE:
            return not transport.MSG_NEWKEYS < number < 50
        if number in _MEANWHILE and self._first:
            self._meanwhile += 1
            return not self.strict and self._meanwhile <= MAX_MEANWHILE
        return number in _MEANWHILE or number == transport.MSG_DISCONNECT

    def agreed(self) -> None:
        """
        Note that both sides have agreed on algorithms.
        """
        self.exchange = KeyExchange.AGREED

    def sent(self) -> None:
        """
        Note that this side uses the new keys for its packets.
        """
        self.exchange = KeyExchange.SENT

    def done(self) -> None:
        """
        Note that the client uses the new keys too.
        """
        self.exchange = KeyExchange.DONE
        self._first = False
