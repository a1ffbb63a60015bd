"""
The stage for tests of relays with TLS: the far ends of C{txlb.testing}, with TLS inside.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

from OpenSSL import SSL

from tests.certificates import Authority, newKey, put
from txlb.model import HostTLS, Listener, ListenTLS, ProxyGroup
from txlb.pool import GaveUpReason, Outcome
from txlb.proxy import ClientConnection
from txlb.proxy._headers import headerFor
from txlb.proxy._truncations import Truncations
from txlb.testing._stage import RelayStage, openSockets
from txlb.testing._streams import LOOK, FarHost, Stream, until
from txlb.tls import reasonOf
from txlb.wire import ProxyHeaderReader, TLSFacts

_made: list[Authority] = []


def authority() -> Authority:
    """
    Return one authority for all tests.
    """
    if not _made:
        _made.append(Authority())
    return _made[0]


class TLSStream(Stream):
    """
    A far end that speaks TLS.

    @ivar ended: whether close_notify was received.
    """

    def __init__(self, reactor: Any, sock: socket.socket, tls: SSL.Connection) -> None:
        super().__init__(reactor, sock)
        self.tls = tls
        self.ready = False
        self._unsent = b""
        self._quiet = False

    def shake(self) -> bool:
        """
        Go on with the handshake.

        @return: whether it is done, or the connection is.
        """
        if self.ready or self.wasReset or self.ended:
            return True
        self._receive()
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error:
            self.wasReset = True
        else:
            self.ready = True
        self._flush()
        return self.ready

    def _receive(self) -> None:
        try:
            while True:
                data = self.sock.recv(1 << 18)
                if not data:
                    self._quiet = True
                    return
                self.tls.bio_write(data)
        except BlockingIOError:
            pass
        except OSError:
            self.wasReset = True

    def _flush(self) -> bool:
        """
        Write what TLS has to say.

        @return: whether the system has taken all of it.
        """
        while True:
            if not self._unsent:
                try:
                    self._unsent = self.tls.bio_read(1 << 18)
                except SSL.WantReadError:
                    return True
            try:
                sent = self.sock.send(self._unsent)
            except BlockingIOError:
                return False
            except OSError:
                self.wasReset = True
                return False
            self._unsent = self._unsent[sent:]

    def read(self) -> None:
        if not self.ready and not self.shake():
            return
        self._flush()
        if self.ended or self.sock.fileno() < 0:
            return
        self._receive()
        try:
            while True:
                self.received += self.tls.recv(1 << 18)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error:
            self.wasReset = True

    def write(self, data: bytes) -> int:
        if not self.shake():
            return 0
        sent = 0
        view = memoryview(data)
        while sent < len(view) and self._flush():
            try:
                sent += self.tls.send(view[sent : sent + 16384])
            except SSL.Error:
                self.wasReset = True
                return sent
        self._flush()
        return sent

    def finish(self) -> None:
        try:
            self.tls.shutdown()
        except SSL.Error:
            self.wasReset = True
        self._drain()

    def _drain(self) -> None:
        """
        Write what is left, as fast as the system takes it.
        """
        if self.sock.fileno() >= 0 and not self._flush() and not self.wasReset:
            self._reactor.callLater(LOOK, self._drain)

    def close(self) -> None:
        if self.sock.fileno() >= 0:
            if self.ready and not self.wasReset:
                with contextlib.suppress(SSL.Error):
                    self.tls.shutdown()
                self._flush()
            self.sock.close()


class TLSHost(FarHost):
    """
    A host that speaks TLS.
    """

    def __init__(self, reactor: Any, context: SSL.Context, **settings: Any) -> None:
        super().__init__(reactor, **settings)
        self._context = context

    async def accept(self) -> Stream:
        plain = await super().accept()
        # A reset drops what Nagle's algorithm keeps.
        if plain.sock.family != socket.AF_UNIX:
            plain.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = SSL.Connection(self._context, None)
        tls.set_accept_state()
        stream = TLSStream(self._reactor, plain.sock, tls)
        await until(self._reactor, stream.shake, "the TLS handshake of the host")
        return stream


class TLSStage(RelayStage):
    """
    Mixed into a contract before it: clients or hosts, or both, speak TLS.

    @cvar tlsIn: whether clients do.
    @cvar tlsOut: whether hosts do.
    """

    tlsIn = False
    tlsOut = False

    def setUp(self: Any) -> None:
        # Sockets of former tests must not be closed while those of this one are counted.
        gc.collect()
        self.folder = self.mktemp()
        names = ["host.example", "127.0.0.1", "localhost"]
        path = put(os.path.join(self.folder, "certs"), "a.pem", *authority().certify(names))
        self.ca = put(self.folder, "ca.crt", authority().pem)
        self.serverContext = SSL.Context(SSL.TLS_SERVER_METHOD)
        self.serverContext.use_certificate_chain_file(path)
        self.serverContext.use_privatekey_file(path)
        self.clientContext = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.clientContext.load_verify_locations(self.ca)
        self.clientContext.set_verify(SSL.VERIFY_PEER)
        self.listener = Listener(
            "127.0.0.1:80",
            tls=ListenTLS(os.path.join(self.folder, "certs")) if self.tlsIn else None,
        )
        super().setUp()
        if self.tlsOut:
            self.pool.setSettings(replace(self.pool.settings, tls=HostTLS(ca=self.ca)))

    def place(self: Any, **settings: Any) -> FarHost:
        if not self.tlsOut:
            return super().place(**settings)
        return TLSHost(self.reactor, self.serverContext, **settings)

    def client(self: Any) -> tuple[Stream, Any]:
        stream, fd = super().client()
        if not self.tlsIn:
            return stream, fd
        tls = SSL.Connection(self.clientContext, None)
        tls.set_connect_state()
        tls.set_tlsext_host_name(b"host.example")
        secure = TLSStream(self.reactor, stream.sock, tls)
        self.addCleanup(secure.close)
        connection = ClientConnection(fd, ("127.0.0.1", 1), self.listener)
        done: list[str] = []
        contexts = self.relay._tls.serverContexts(self.listener.tls)
        look = self.handshake(connection, contexts, lambda: done.append(""), done.append)
        for _ in range(1000):
            secure.shake()
            if done and secure.ready:
                break
            if not done:
                look()
        self.assertEqual(done, [""])
        # Tickets that are not read would make a reset of a close.
        secure.read()
        return secure, connection

    def handshake(self: Any, *arguments: Any) -> Callable[[], object]:
        """
        Begin the handshake of a client, as L{Relays.handshake} does.

        @return: has the balancer's side look at its socket.
        """
        raise NotImplementedError("implement handshake")

    def accepted(self: Any, clientFd: Any) -> ClientConnection:
        if isinstance(clientFd, ClientConnection):
            return clientFd
        connection: ClientConnection = super().accepted(clientFd)
        return connection


class OtherTests:
    """
    Tests of the contract that are otherwise with TLS.
    """

    async def test_urgentData(self: Any) -> None:
        """
        An urgent byte is none of TLS. It breaks the record that it comes in, and both sides
        are reset.
        """
        client, server = await self.connected(self.host())
        far, near = (client, server) if self.tlsIn else (server, client)
        await far.writeAll(b"before")
        await near.expect(b"before")
        far.sock.send(b"!" * 64, socket.MSG_OOB)
        await near.expectReset()
        await self.over(Outcome.CLIENT_RESET if self.tlsIn else Outcome.HOST_RESET)

    async def test_brokenRecord(self: Any) -> None:
        """
        A peer that breaks TLS gets an alert, and the other end a reset.
        """
        client, server = await self.connected(self.host())
        far, near = (client, server) if self.tlsIn else (server, client)
        await far.writeAll(b"before")
        await near.expect(b"before")
        far.sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        told: list[str] = []

        def hears() -> bool:
            far._receive()
            try:
                far.tls.recv(100)
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                told.append(reasonOf(error))
            return bool(told) or far.wasReset

        await until(self.reactor, hears, "the alert")
        self.assertEqual([each.rpartition("alert ")[2] for each in told], ["bad record mac"])
        await near.expectReset()
        await self.over(Outcome.CLIENT_RESET if self.tlsIn else Outcome.HOST_RESET)

    async def test_memory(self: Any) -> None:
        """
        The memory of TLS goes with the connection, and does not wait for the collector.
        """

        def sides() -> int:
            return sum(type(each) is SSL.Connection for each in gc.get_objects())

        gc.collect()
        before = sides()
        gc.disable()
        self.addCleanup(gc.enable)
        client, server = await self.connected(self.host())
        await client.writeAll(b"request")
        await server.expect(b"request")
        self.assertGreater(sides(), before + self.tlsIn + self.tlsOut)
        client.finish()
        server.finish()
        await self.over(Outcome.DONE)
        # Those of the far ends stay.
        far = before + self.tlsIn + self.tlsOut
        await until(self.reactor, lambda: sides() <= far, "the end of the memory")

    async def test_truncated(self: Any) -> None:
        """
        An end without close_notify is passed on as a reset, behind the bytes, and logged.
        """
        happened = self.patched(Truncations, "happened")
        client, server = await self.connected(self.host())
        far, near = (client, server) if self.tlsIn else (server, client)
        await far.writeAll(b"before")
        far.sock.shutdown(socket.SHUT_WR)
        await near.expectReset()
        self.assertEqual(bytes(near.received), b"before")
        await self.over(Outcome.CLIENT_RESET if self.tlsIn else Outcome.HOST_RESET)
        happened.assert_called_once_with("client" if self.tlsIn else "host")

    def patched(self: Any, of: type, name: str) -> Any:
        """
        @return: what stands for a method during this test.
        """
        patching = patch.object(of, name)
        self.addCleanup(patching.stop)
        return patching.start()

    async def test_descriptorsWithData(self: Any) -> None:
        """
        Descriptors that come with the records of a UNIX socket are closed, and delay no bytes.
        """
        if not self.tlsOut:
            await super().test_descriptorsWithData()  # type: ignore[misc]
            return
        path = f"{self.mktemp()[-80:]}.sock"
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        client, server = await self.connected(self.host(path=path))
        before = openSockets()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", server.sock.fileno()))
        for _ in range(20):
            await server.writeAll(b"before")
            server.tls.send(b"with")
            server.sock.sendmsg([server.tls.bio_read(65536)], [rights])
            await server.writeAll(b"after")
        await client.expect(b"beforewithafter" * 20)
        self.assertEqual(openSockets(), before)
        server.finish()
        client.finish()
        await self.over(Outcome.DONE)

    async def test_leavesWhileWaiting(self: Any) -> None:
        """
        A client that closes while it waits is forgotten. It sends no close_notify: that
        would be bytes, as those of a request are.
        """
        await self.connected(self.small())
        self.waitingClient().sock.close()
        await self.gone(GaveUpReason.CLIENT_GONE)


class SlowTests:
    """
    Tests of handshakes with a key that takes long.
    """

    async def slow(self: Any, trusts: bool = True) -> tuple[list[str], set[int]]:
        """
        Do a handshake.

        @return: what was called back, and the threads in which OpenSSL has worked.
        """
        key = newKey("rsa2048")
        pem = authority().certify(["host.example"], key)
        put(os.path.join(self.folder, "certs"), "a.pem", *pem)
        store = self.relay._tls
        self.addCleanup(store.slowSteps.close)
        with patch("txlb.tls._certificate.LARGE_RSA", 1024):
            contexts = store.serverContexts(self.listener.tls)
        context = contexts.choose("host.example")
        assert context is not None and context.isSlow
        threads: set[int] = set()

        def told(_: SSL.Connection, where: int, _result: int) -> None:
            # The end of the session is told as well.
            if where & SSL.SSL_ST_ACCEPT:
                threads.add(threading.get_ident())

        context.context.set_info_callback(told)
        stream, fd = RelayStage.client(self)
        client = self.clientContext if trusts else SSL.Context(SSL.TLS_CLIENT_METHOD)
        if not trusts:
            client.set_verify(SSL.VERIFY_PEER)
        tls = SSL.Connection(client, None)
        tls.set_connect_state()
        tls.set_tlsext_host_name(b"host.example")
        secure = TLSStream(self.reactor, stream.sock, tls)
        self.addCleanup(secure.close)
        connection = ClientConnection(fd, ("127.0.0.1", 1), self.listener)
        called: list[str] = []
        inThread = partial(store.slowSteps.run, self.reactor)
        arguments = (lambda: called.append(""), called.append, inThread)
        self.handshake(connection, contexts, *arguments)

        def shaken() -> bool:
            return (secure.shake() or not trusts) and bool(called)

        await until(self.reactor, shaken, "the handshake")
        if trusts:
            connection.close()
        return called, threads

    async def test_inThread(self: Any) -> None:
        """
        OpenSSL works in another thread than the reactor's.
        """
        called, threads = await self.slow()
        self.assertEqual(called, [""])
        self.assertTrue(threads)
        self.assertNotIn(threading.get_ident(), threads)

    async def test_failsInThread(self: Any) -> None:
        """
        The reason of a failure comes from there.
        """
        called, threads = await self.slow(trusts=False)
        self.assertEqual(len(called), 1)
        self.assertIn("unknown ca", called[0])
        self.assertNotIn(threading.get_ident(), threads)


class SlowHostTests:
    """
    Tests of handshakes with hosts to which a certificate is shown whose key takes long.
    """

    async def test_hostInThread(self: Any) -> None:
        """
        OpenSSL works in another thread than the reactor's, and bytes go both ways after that.
        """
        pem = authority().certify(["client.example"], newKey("rsa2048"))
        path = put(self.folder, "client.pem", *pem)
        self.serverContext.load_verify_locations(self.ca)
        self.serverContext.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        settings = HostTLS(ca=self.ca, clientCertificate=path)
        self.pool.setSettings(replace(self.pool.settings, tls=settings))
        store = self.relay._tls
        self.addCleanup(store.slowSteps.close)
        with patch("txlb.tls._certificate.LARGE_RSA", 1024):
            context = store.clientContext(settings)
        self.assertTrue(context.isSlow)
        threads: set[int] = set()
        done: list[int] = []

        def told(_: SSL.Connection, where: int, _result: int) -> None:
            # Tickets come after the handshake, and are told as well.
            if where & SSL.SSL_ST_CONNECT and not done:
                threads.add(threading.get_ident())
            if where & SSL.SSL_CB_HANDSHAKE_DONE:
                done.append(where)

        context.context.set_info_callback(told)
        client, server = await self.connected(self.host())
        await client.writeAll(b"request")
        await server.expect(b"request")
        await server.writeAll(b"answer")
        await client.expect(b"answer")
        self.assertEqual(server.tls.get_peer_certificate().get_subject().CN, "client.example")
        self.assertTrue(threads)
        self.assertNotIn(threading.get_ident(), threads)
        client.finish()
        server.finish()
        await self.over(Outcome.DONE)


class TellingTests:
    """
    Tests of what hosts are told if TLS ends here.
    """

    async def test_header(self: Any) -> None:
        """
        The header has the facts of the session that has begun here.
        """
        secure, connection = self.client()
        group = ProxyGroup("g", sendProxy="v2-ssl")
        header = ProxyHeaderReader().feed(headerFor(connection, group))
        assert header is not None
        cipher = secure.tls.get_cipher_name()
        facts = TLSFacts("TLSv1.3", cipher, None, "ecdsa-with-SHA256", "EC256", verifyResult=1)
        self.assertEqual((header.authority, header.alpn), ("host.example", None))
        self.assertEqual(header.tls, facts)
        connection.close()
