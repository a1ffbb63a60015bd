"""
The messages of LDAP: RFC 4511. ldaptor makes and reads them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

with warnings.catch_warnings():
    # pyparsing warns of old names that ldaptor uses.
    warnings.simplefilter("ignore")
    from ldaptor.protocols import pureber, pureldap

from txlb.admin.login.ldap._errors import ServerError

#: The longest message of a server that is read, in bytes.
MAX_MESSAGE = 1_048_576

#: Codes of results: RFC 4511, appendix A.
SUCCESS = 0
SIZE_LIMIT_EXCEEDED = 4
REFERRAL = 10
NO_SUCH_OBJECT = 32
INVALID_CREDENTIALS = 49
BUSY = 51
UNAVAILABLE = 52

_SEQUENCE = 0x30
_REFERENCE = 0x73


class StrictContext(pureber.BERDecoderContext):  # type: ignore[misc]  # ldaptor has no types
    """
    A context for decoding that refuses tags it does not know. ldaptor would print them to the
    standard output.
    """

    def lookup_id(self, id: int) -> Any:  # noqa: A002 - as ldaptor calls it
        """
        Return the class of a tag.

        @raise ServerError: it is not known.
        """
        found = super().lookup_id(id)
        if found is None:
            raise ServerError(f"a part with the unknown tag {id}")
        return found


def _decoder() -> Any:
    inner = pureldap.LDAPBERDecoderContext(fallback=StrictContext())
    message = pureldap.LDAPBERDecoderContext_LDAPMessage(
        fallback=pureldap.LDAPBERDecoderContext(fallback=StrictContext()), inherit=inner
    )
    return pureldap.LDAPBERDecoderContext_TopLevel(inherit=message, fallback=StrictContext())


_DECODER = _decoder()


@dataclass(frozen=True, slots=True)
class Entry:
    """
    An entry of a directory.

    @ivar dn: its distinguished name.
    @ivar attributes: the values of its attributes, by the attributes' names in small letters.
    """

    dn: str
    attributes: dict[str, tuple[bytes, ...]]

    def values(self, name: str) -> tuple[bytes, ...]:
        """
        Return the values of an attribute.
        """
        return self.attributes.get(name.lower(), ())


@dataclass(frozen=True, slots=True)
class Result:
    """
    The result of an operation.
    """

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """
    A reference to another server, which is not followed.
    """


def takeMessage(buffer: bytearray) -> bytes | None:
    """
    Take the first message of what a server has sent.

    @return: L{None} if it is not complete yet.
    @raise ServerError: it is no message of LDAP, or too long.
    """
    if buffer and buffer[0] != _SEQUENCE:
        raise ServerError("the server does not speak LDAP")
    if len(buffer) < 2:
        return None
    size, begin = buffer[1], 2
    if size & 0x80:
        count = size & 0x7F
        # Without a number of bytes, or with more of them than a message may have.
        if not 1 <= count <= 4:
            raise ServerError("a message has no right length")
        begin += count
        if len(buffer) < begin:
            return None
        size = int.from_bytes(buffer[2:begin], "big")
    if size > MAX_MESSAGE:
        raise ServerError(f"a message is longer than {MAX_MESSAGE} bytes")
    end = begin + size
    if len(buffer) < end:
        return None
    message = bytes(buffer[:end])
    del buffer[:end]
    return message


def decodeMessage(data: bytes) -> tuple[int, Entry | Result | Reference]:
    """
    Decode a message of a server.

    @return: its number, and its content.
    @raise ServerError: it makes no sense.
    """
    try:
        number, operation = _outer(data)
        if operation[:1] == bytes((_REFERENCE,)):
            return number, Reference()
        if operation[:1] in _RESULTS:
            return number, _result(operation)
        decoded, _ = pureber.berDecodeObject(_DECODER, data)
        return number, _entry(decoded.value)
    except ServerError:
        raise
    except Exception as error:  # noqa: BLE001 - ldaptor's decoder raises many kinds
        raise ServerError(
            f"a message of the server makes no sense ({type(error).__name__})"
        ) from None


#: Bind, search and extended operations end with one of these.
_RESULTS = (b"\x61", b"\x65", b"\x78")


def _tlv(data: bytes, start: int = 0) -> tuple[int, int]:
    """
    Return where the content of the element at C{start} begins and ends.
    """
    length, size = pureber.berDecodeLength(data, offset=start + 1)
    begin = start + 1 + size
    # The first length of the long form is read with a sign.
    if length < 0 or begin + length > len(data):
        raise ServerError("an element ends behind its message")
    return begin, begin + length


def _outer(data: bytes) -> tuple[int, bytes]:
    begin, _ = _tlv(data)
    if data[begin] != 2:
        raise ServerError("a message has no number")
    first, last = _tlv(data, begin)
    number = int.from_bytes(data[first:last][:8], "big")
    _, end = _tlv(data, last)
    return number, data[last:end]


def _result(operation: bytes) -> Result:
    """
    Read a result. What stands behind the message, such as referrals, is not looked at.
    """
    place, _ = _tlv(operation)
    parts = []
    for tag in (0x0A, 0x04, 0x04):
        if operation[place] != tag:
            raise ServerError("a result makes no sense")
        begin, place = _tlv(operation, place)
        parts.append(operation[begin:place])
    code = int.from_bytes(parts[0][:4], "big")
    return Result(code, parts[2][:200].decode("utf-8", "replace"))


def _entry(value: Any) -> Entry:
    if not isinstance(value, pureldap.LDAPSearchResultEntry):
        raise ServerError(f"an unexpected message: {type(value).__name__}")
    attributes: dict[str, tuple[bytes, ...]] = {}
    for name, values in value.attributes:
        # Options, as in name;lang-en, don't count.
        word = bytes(name).decode("ascii", "replace").lower()
        attributes[word] = tuple(bytes(each) for each in values)
    return Entry(bytes(value.objectName).decode("utf-8"), attributes)


def bindRequest(dn: str, password: bytes) -> Any:
    """
    Make a simple bind.
    """
    return pureldap.LDAPBindRequest(dn=dn.encode("utf-8"), auth=password)


def startTLSRequest() -> Any:
    """
    Make the request to begin TLS.
    """
    return pureldap.LDAPStartTLSRequest()


def equals(attribute: str, value: str) -> Any:
    """
    Make a filter. It is an object, so nothing in the value can have a meaning in it.
    """
    return pureldap.LDAPFilter_equalityMatch(
        attributeDesc=pureldap.LDAPAttributeDescription(attribute),
        assertionValue=pureldap.LDAPAssertionValue(value.encode("utf-8")),
    )


def searchRequest(
    base: str, only: Any, attributes: Iterable[str], most: int, seconds: float, deep: bool = True
) -> Any:
    """
    Make a search.

    @param only: a filter; L{None} for any entry.
    @param most: the most entries.
    @param deep: whether to search below the base too.
    """
    scope = pureldap.LDAP_SCOPE_wholeSubtree if deep else pureldap.LDAP_SCOPE_baseObject
    return pureldap.LDAPSearchRequest(
        baseObject=base.encode("utf-8"),
        scope=scope,
        derefAliases=pureldap.LDAP_DEREF_neverDerefAliases,
        sizeLimit=most,
        timeLimit=max(int(seconds), 1),
        filter=pureldap.LDAPFilter_present("objectClass") if only is None else only,
        attributes=[each.encode("ascii") for each in attributes],
    )


def encode(number: int, request: Any) -> bytes:
    """
    Encode a request.

    @param number: its number on its connection.
    """
    return bytes(pureldap.LDAPMessage(request, id=number).toWire())
