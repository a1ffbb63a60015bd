"""
The kinds of values that are about a balancer: names, addresses, schedulers,
paths and passwords.
"""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from txlb import schedulers
from txlb.config._kinds import PlainKind, SecretKind, SecretText, quoted
from txlb.config._looks import mayLook
from txlb.errors import ModelError, UnknownName
from txlb.model import Address, checkName, parseHostAddress, parseListenAddress, parseNetwork
from txlb.model import ListenAddress as AnyListenAddress

Made = TypeVar("Made")

#: Longer than any address or word, in characters. What is longer still is not
#: worth a look, nor a message that quotes it in full.
MAX_LENGTH = 512

#: Digits that the number of a user or group has at most.
MAX_DIGITS = 9

_MODE = re.compile(r"0?[0-7]{3}\Z")

#: What Linux takes as a path, in bytes, less the NUL at its end.
MAX_PATH = 4095

_ARGON2ID = re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+\Z")

#: What crypt(3) makes: C{$id$...} of its many kinds, the 13 characters of DES,
#: or the 20 of BSDi.
_CRYPT = re.compile(
    r"(\$(?!argon2)[0-9a-z]+[$,].*|[./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19})\Z", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class SchedulerWord(PlainKind):
    """
    The word of a scheduler, or one that PythonDirector had for it.
    """

    def describe(self) -> str:
        return (
            f"one of {', '.join(schedulers.schedulerWords())}, "
            f"or PythonDirector's {', '.join(schedulers.ALIASES)}"
        )

    def parse(self, text: str, what: str) -> str:
        if len(text) > MAX_LENGTH:
            raise self.wrong(text, what)
        try:
            return schedulers.canonicalWord(text, mayLook)
        except UnknownName as error:
            raise ModelError(f"{what}: {error}") from None


@dataclass(frozen=True, slots=True)
class Name(PlainKind):
    """
    A name of something.

    @ivar of: what it names.
    """

    of: str

    def describe(self) -> str:
        return "a name of 1 to 255 printable characters, without a slash"

    def parse(self, text: str, what: str) -> str:
        return checkName(self.of, text)


@dataclass(frozen=True, slots=True)
class HostAddress(PlainKind):
    """
    Where a host is reached.
    """

    def describe(self) -> str:
        return "an address: host:port, [::1]:port or unix:/path"

    def parse(self, text: str, what: str) -> Address:
        if len(text) > MAX_LENGTH:
            raise self.wrong(text, what)
        return _address(parseHostAddress, text, what)


@dataclass(frozen=True, slots=True)
class ListenAddress(PlainKind):
    """
    Where something listens.
    """

    def describe(self) -> str:
        return (
            "an address to listen on: host:port, [::1]:port, unix:/path, systemd:name, "
            "or *:port for every interface"
        )

    def parse(self, text: str, what: str) -> AnyListenAddress:
        if len(text) > MAX_LENGTH:
            raise self.wrong(text, what)
        return _address(lambda value: parseListenAddress(value, ephemeral=False), text, what)


@dataclass(frozen=True, slots=True)
class Mode(PlainKind):
    """
    The permissions of a socket's file.
    """

    def describe(self) -> str:
        return "permissions as chmod takes them, 0000 to 0777 in octal digits"

    def parse(self, text: str, what: str) -> int:
        if not _MODE.match(text):
            raise self.wrong(text, what)
        return int(text, 8)

    def write(self, value: Any, before: str | None = None) -> str:
        return f"{value:04o}"


@dataclass(frozen=True, slots=True)
class Account(PlainKind):
    """
    A user or a group of this machine.

    @ivar of: C{user} or C{group}.
    """

    of: str

    def describe(self) -> str:
        return f"the name of a {self.of} of this machine, or its number"

    def parse(self, text: str, what: str) -> str:
        if not text.isprintable() or not text.strip() or len(text) > MAX_LENGTH:
            raise self.wrong(text, what)
        if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
            return text
        try:
            pwd.getpwnam(text) if self.of == "user" else grp.getgrnam(text)
        except KeyError:
            raise ModelError(
                f"{what} is {quoted(text)}, and this machine has no such {self.of}; make it, or "
                f"give another {self.of} or a number"
            ) from None
        return text


@dataclass(frozen=True, slots=True)
class ClientNetwork(PlainKind):
    """
    A network of clients.
    """

    def describe(self) -> str:
        return (
            "a network of clients: 192.0.2.0/24, 2001:db8::/32, one address, unix for clients of "
            "UNIX sockets, or all"
        )

    def parse(self, text: str, what: str) -> str:
        try:
            return parseNetwork(text)
        except ModelError as error:
            raise ModelError(f"{what}: {error}") from None


@dataclass(frozen=True, slots=True)
class Path(PlainKind):
    """
    A path in the file system; a relative one begins at the folder of the
    configuration file.
    """

    def describe(self) -> str:
        return (
            f"a path of at most {MAX_PATH} characters, absolute or from the folder of the "
            "configuration file"
        )

    def parse(self, text: str, what: str) -> str:
        if not text.strip() or len(text) > MAX_PATH:
            raise self.wrong(text, what)
        if not text.isprintable():
            raise ModelError(
                f"{what} is {quoted(text)}, which has characters that can't be printed; a path "
                "in a configuration file has none, such as control characters and line ends"
            )
        return text


@dataclass(frozen=True, slots=True)
class PasswordHash(SecretKind):
    """
    The hash of a password. No message quotes it.
    """

    def describe(self) -> str:
        return "a hash as txlb passwd prints it"

    def parse(self, text: str, what: str) -> SecretText:
        """
        See L{Kind.parse}. Old hashes pass, so that old files can be read.
        """
        if not isCurrentHash(text) and not _CRYPT.match(text):
            raise ModelError(f"{what} is no hash of a password; make one with: txlb passwd")
        return SecretText(text)

    def show(self, value: Any) -> str:
        return "(an argon2id hash)" if isCurrentHash(value) else "(an old crypt hash)"


def isCurrentHash(password: str) -> bool:
    """
    Whether somebody can log in with a password of this hash.
    """
    return _ARGON2ID.match(password) is not None


def _address(parse: Callable[[str], Made], text: str, what: str) -> Made:
    try:
        return parse(text)
    except ModelError as error:
        raise ModelError(f"{what}: {error}") from None
