"""
A client of etcd, by its JSON gateway.

etcd 3.4 and later serve the interface of version 3 as JSON over HTTP at C{/v3/...}; keys and values
are in base64, and numbers of 64 bits are texts. The gateway leaves out fields that are zero, false
or empty.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Never

from twisted.internet.defer import CancelledError, Deferred
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool
from twisted.web.http_headers import Headers

from txlb.clients._body import Body, TooLong
from txlb.clients._etcderror import EtcdDenied, EtcdError, EtcdUnreachable
from txlb.clients._quietendpoints import QuietEndpoints
from txlb.clients._reason import reasonOf
from txlb.clients._tlspolicy import TLSPolicy
from txlb.clients._transaction import Committed, Transaction
from txlb.clients._tries import Tries
from txlb.model import shown

#: Bytes of an answer at most.
MAX_ANSWER = 64 * 1024 * 1024

#: Connections that are kept to each member at most.
CONNECTIONS = 2

#: Seconds until a connection is there.
CONNECT_TIMEOUT = 2.0

#: Bytes of an answer that messages have, at most.
MAX_SHOWN = 200

#: Numbers of errors by gRPC.
UNAUTHENTICATED = 16
PERMISSION_DENIED = 7
INVALID_ARGUMENT = 3
NOT_FOUND = 5
OUT_OF_RANGE = 11
UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class KeyValue:
    """
    A key of etcd with its value.

    @ivar created: the revision at which the key came to be; 0 for a key that is not there.
    @ivar modified: the revision of its last change.
    @ivar version: how often it was written since it came to be.
    @ivar lease: the lease with whose end it goes; 0 for none.
    """

    key: str
    value: bytes
    created: int = 0
    modified: int = 0
    version: int = 0
    lease: int = 0


def encoded(text: str | bytes) -> str:
    """
    Encode a key or a value as the gateway wants it.
    """
    return b64encode(text.encode() if isinstance(text, str) else text).decode("ascii")


def prefixEnd(prefix: str) -> str:
    """
    Return the end of the range of all keys with a prefix, encoded.

    @param prefix: ASCII, not empty.
    """
    data = prefix.encode()
    return encoded(data[:-1] + bytes([data[-1] + 1]))


def keyValue(found: Mapping[str, Any]) -> KeyValue:
    """
    Read a key with its value.

    @raise ValueError: it is none.
    """
    return KeyValue(
        b64decode(found["key"]).decode("utf-8", "replace"),
        b64decode(found.get("value", "")),
        int(found.get("create_revision", 0)),
        int(found.get("mod_revision", 0)),
        int(found.get("version", 0)),
        int(found.get("lease", 0)),
    )


class EtcdClient:
    """
    A client of the members of one etcd cluster. It asks one of them, and after a failure of that
    one the next.

    @param reactor: makes the connections.
    @param urls: the members, such as C{http://127.0.0.1:2379}, at least one.
    @param user: a user of etcd; empty for none.
    @param password: the user's password.
    @param ca: certificates in PEM form that the members' have to be signed by; L{None} for those
        of the system.
    @param clientCertificate: a certificate in PEM form, with its key, that is shown to the
        members; L{None} for none.
    @param timeout: seconds for one answer.
    @raise CertificateError: a certificate can't be used.
    """

    def __init__(
        self,
        reactor: Any,
        urls: Sequence[str],
        *,
        user: str = "",
        password: str = "",
        ca: bytes | None = None,
        clientCertificate: bytes | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._reactor = reactor
        self._urls = [each.rstrip("/") for each in urls]
        self._member = 0
        self._user, self._password = user, password
        self._token = ""
        self._timeout = timeout
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = CONNECTIONS
        self._pool.retryAutomatically = False
        self._endpoints = QuietEndpoints(reactor, TLSPolicy(ca, clientCertificate), CONNECT_TIMEOUT)
        self._agent = Agent.usingEndpointFactory(reactor, self._endpoints, self._pool)

    def replaceCredentials(
        self,
        password: str = "",
        ca: bytes | None = None,
        clientCertificate: bytes | None = None,
    ) -> None:
        """
        Use other credentials from now on, as those before were renewed. Requests under way go on,
        as does a watch. The arguments are those with which a client is made.

        @raise CertificateError: a certificate can't be used. Nothing has changed then.
        """
        self._endpoints.policy = TLSPolicy(ca, clientCertificate)
        if password != self._password:
            self._password, self._token = password, ""
        # The next requests make connections with the new certificates.
        self._pool.closeCachedConnections()

    @property
    def member(self) -> str:
        """
        The URL of the member that is asked now.
        """
        return self._urls[self._member]

    def nextMember(self) -> None:
        """
        Ask the next member from now on.
        """
        self._member = (self._member + 1) % len(self._urls)

    def close(self) -> Deferred[None]:
        """
        Close the connections that are kept.

        @return: fires with L{None} when they are closed. It does not fail.
        """
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed

    async def call(
        self,
        path: str,
        body: Mapping[str, Any],
        timeout: float | None = None,
        *,
        elsewhere: bool = True,
    ) -> dict[str, Any]:
        """
        Call a method.

        @param path: its path below C{/v3/}, such as C{kv/range}.
        @param body: the request.
        @param timeout: seconds for the answer; by default those of the client.
        @param elsewhere: whether the next members are asked if one does not answer, or not soon.
            That is right for what may be done twice. The member that has answered is the present
            one from then on.
        @return: the answer.
        @raise EtcdUnreachable: no member has answered.
        @raise EtcdDenied: the user is wrong, or may not do this.
        @raise EtcdError: etcd tells another error.
        """
        if not elsewhere:
            return await self._try(self._member, _nothing, path, body, timeout)
        first, count = self._member, len(self._urls)
        tries = Tries(
            self._reactor,
            lambda number, began: Deferred.fromCoroutine(
                self._try((first + number) % count, began, path, body, timeout)
            ),
            count,
        )
        answering = tries.run()
        answering.addTimeout(self._timeout if timeout is None else timeout, self._reactor, _late)
        number, answer = await answering
        self._member = (first + number) % count
        return answer

    async def _try(
        self,
        member: int,
        began: Callable[[], None],
        path: str,
        body: Mapping[str, Any],
        timeout: float | None,
    ) -> dict[str, Any]:
        """
        Ask one member, and log in if that is needed.
        """
        url = self._urls[member]
        try:
            if self._user and not self._token:
                await self._logIn(url)
            return await self._once(url, began, path, body, timeout)
        except EtcdDenied as error:
            if not self._user or error.code == PERMISSION_DENIED:
                raise
            # The token is too old, or of a member that was started anew.
            await self._logIn(url)
            return await self._once(url, began, path, body, timeout)

    async def _logIn(self, url: str) -> None:
        self._token = ""
        answer = await self._once(
            url,
            _nothing,
            "auth/authenticate",
            {"name": self._user, "password": self._password},
            None,
        )
        self._token = str(answer.get("token", ""))

    async def _once(
        self,
        url: str,
        began: Callable[[], None],
        path: str,
        body: Mapping[str, Any],
        timeout: float | None,
    ) -> dict[str, Any]:
        """
        Ask a member once.
        """
        asked = Deferred.fromCoroutine(self._exchange(url, began, path, body))
        asked.addTimeout(self._timeout if timeout is None else timeout, self._reactor)
        try:
            status, data = await asked
        except CancelledError:
            raise
        except TooLong as error:
            raise EtcdError(f"{url}: {error}") from None
        except Exception as error:  # noqa: BLE001 - twisted.web has many, of one meaning
            raise EtcdUnreachable(f"{url}: {reasonOf(error)}") from None
        return answerOf(url, status, data)

    async def _exchange(
        self, url: str, began: Callable[[], None], path: str, body: Mapping[str, Any]
    ) -> tuple[int, bytes]:
        response = await self.request(path, body, member=url)
        collected = Body(MAX_ANSWER, began)
        response.deliverBody(collected)
        return response.code, await collected.done

    def request(
        self,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        member: str | None = None,
    ) -> Deferred[Any]:
        """
        Send a request to one member.

        @param member: its URL; by default that of the present member.
        @return: fires with the C{IResponse}; fails as C{Agent.request} does.
        """
        sent = {"Content-Type": ["application/json"]}
        if self._token:
            sent["Authorization"] = [self._token]
        for name, value in (headers or {}).items():
            sent[name] = [value]
        answering: Deferred[Any] = self._agent.request(
            b"POST",
            f"{member or self.member}/v3/{path}".encode("ascii"),
            Headers(sent),
            FileBodyProducer(_Bytes(json.dumps(body).encode())),
        )
        return answering

    # The calls that txlb uses

    async def list(self, prefix: str) -> tuple[list[KeyValue], int]:
        """
        Return all keys with a prefix, as the cluster has agreed on them.

        @return: the keys with their values, and the revision of the cluster.
        """
        answer = await self.call(
            "kv/range", {"key": encoded(prefix), "range_end": prefixEnd(prefix)}
        )
        return [keyValue(each) for each in answer.get("kvs", ())], revisionOf(answer)

    async def ping(self, prefix: str, timeout: float | None = None) -> None:
        """
        Ask the present member, and no other one, for something that its leader has to confirm.

        @param prefix: a prefix whose keys the user may read.
        @param timeout: seconds for the answer; by default those of the client.
        """
        body = {"key": encoded(prefix), "count_only": True}
        await self.call("kv/range", body, timeout, elsewhere=False)

    async def get(self, key: str) -> KeyValue | None:
        """
        Return one key; L{None} if it is not there.
        """
        answer = await self.call("kv/range", {"key": encoded(key)})
        found = [keyValue(each) for each in answer.get("kvs", ())]
        return found[0] if found else None

    async def put(self, key: str, value: bytes, lease: int = 0) -> int:
        """
        Write a key.

        @param lease: the lease with whose end the key goes; 0 for none.
        @return: the revision of the change.
        """
        body = {"key": encoded(key), "value": encoded(value), "lease": str(lease)}
        return revisionOf(await self.call("kv/put", body))

    async def delete(self, key: str) -> int:
        """
        Remove a key, if it is there.

        @return: the revision after it.
        """
        return revisionOf(await self.call("kv/deleterange", {"key": encoded(key)}))

    async def revisions(self, prefix: str) -> dict[str, int]:
        """
        Return the revision of the last write of each key with a prefix, as the cluster has agreed
        on them.
        """
        body = {"key": encoded(prefix), "range_end": prefixEnd(prefix), "keys_only": True}
        answer = await self.call("kv/range", body)
        found = [keyValue(each) for each in answer.get("kvs", ())]
        return {each.key: each.modified for each in found}

    async def commit(self, transaction: Transaction) -> Committed:
        """
        Do a transaction. If the first member does not answer it may be done although a later one
        says that its comparisons don't hold.
        """
        answer = await self.call("kv/txn", transaction.body)
        return Committed(bool(answer.get("succeeded")), revisionOf(answer))

    async def grant(self, seconds: int) -> int:
        """
        Make a lease.

        @param seconds: how long it lasts after it was renewed last.
        @return: its number.
        """
        answer = await self.call("lease/grant", {"TTL": str(seconds)})
        return int(answer["ID"])

    async def renew(self, lease: int, timeout: float | None = None) -> bool:
        """
        Renew a lease.

        @return: whether it is there.
        """
        answer = await self.call("lease/keepalive", {"ID": str(lease)}, timeout)
        return int(answer.get("result", {}).get("TTL", 0)) > 0

    async def revoke(self, lease: int) -> None:
        """
        End a lease, and with it its keys.
        """
        try:
            await self.call("lease/revoke", {"ID": str(lease)})
        except EtcdError as error:
            # A member that has not answered may have done it.
            if error.code != NOT_FOUND:
                raise


class _Bytes:
    """
    A file of bytes, for C{FileBodyProducer}.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> None:
        self._at = offset if whence == 0 else len(self._data) + offset

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        pass


def _nothing() -> None:
    """
    Do nothing.
    """


def _late(_result: object, timeout: float) -> Never:
    raise EtcdUnreachable(f"no member has answered within {timeout:g} s")


def revisionOf(answer: Mapping[str, Any]) -> int:
    """
    Return the revision of the cluster at an answer.
    """
    return int(answer.get("header", {}).get("revision", 0))


def answerOf(url: str, status: int, data: bytes) -> dict[str, Any]:
    """
    Read an answer.

    @param url: the member, for messages.
    @raise EtcdError: it tells an error, or is none of etcd.
    """
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        # Some errors of the gateway are plain text.
        text = shown(data[:MAX_SHOWN].decode("utf-8", "replace").strip())
        raise EtcdUnreachable(f"{url} has sent no answer of etcd, but status {status} and {text}")
    if status == 200:
        return answer
    raise errorOf(url, answer)


def errorOf(url: str, told: Mapping[str, Any]) -> EtcdError:
    """
    Make an error of what etcd tells.
    """
    code = told.get("code", told.get("grpc_code", 0))
    text = str(told.get("message") or told.get("error") or told)[:500]
    number = code if isinstance(code, int) else 0
    message = f"{url}: {text}"
    # Without a token the gateway tells of a wrong argument.
    missing = number == INVALID_ARGUMENT and "user name is empty" in text
    if number in {UNAUTHENTICATED, PERMISSION_DENIED} or missing or "authentication failed" in text:
        return EtcdDenied(message, number)
    if number in {UNAVAILABLE, 4} or "no leader" in text or "timed out" in text:
        return EtcdUnreachable(message, number)
    return EtcdError(message, number)
