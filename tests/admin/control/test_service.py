"""
Tests for L{txlb.admin.control._service}.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from types import SimpleNamespace

from twisted.python.filepath import FilePath

from tests.admin.targets import FakeBalancer
from tests.proxy.fakes import ReactorCase, logOf
from txlb.admin.control import _service, controlService
from txlb.errors import AddressError, ListenError


class ServiceTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(FilePath(folder).remove)
        self.path = os.path.join(folder, "run", "control")
        self.balancer = FakeBalancer()
        self.service = controlService(self.balancer, self.path, reactor=self.reactor)
        self.addCleanup(self.service.stopService)

    def connect_(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(self.path)
        return client

    def test_path(self) -> None:
        """
        A path that can't be a socket's is refused before anything is made.
        """
        for path, words in (("/run/a\nb", "can't be printed"), ("/" + "x" * 108, "1 to 107 bytes")):
            error = self.assertRaises(AddressError, controlService, None, path)
            self.assertIn(words, str(error))

    def test_complaints(self) -> None:
        """
        What clients do wrong is one line a second with its number, the last one within
        a second.
        """
        log = logOf(self)
        self.patch(_service, "time", SimpleNamespace(monotonic=self.reactor.seconds))
        self.service.startService()
        clients = self.service._clients
        assert clients is not None
        for _ in range(3):
            clients.complain("it is Tuesday")
        self.reactor.advance(1)
        clients.complain("it is still Tuesday")
        clients.complain("and late")
        self.successResultOf(self.service.stopService())
        said = [(event["times"], event["text"]) for event in log if "times" in event]
        self.assertEqual(
            said,
            [(1, "it is Tuesday"), (2, "it is Tuesday"), (2, "and late")],
        )

    def test_life(self) -> None:
        """
        It listens from the moment it is bound, and lets in once it has started.
        """
        self.service.bind()
        self.service.bind()
        status = os.stat(self.path)
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
        self.connect_()
        self.reactor.readable()
        self.assertEqual(self.service.clientCount, 0)
        self.service.privilegedStartService()
        self.service.startService()
        self.reactor.readable()
        self.assertEqual(self.service.clientCount, 1)
        self.balancer.manager.setWeight("web", "prod", "h0", 2)
        self.assertEqual(self.service.history.last, 1)
        stopped = self.service.stopService()
        self.assertFalse(os.path.exists(self.path))
        self.successResultOf(stopped)
        self.balancer.manager.setWeight("web", "prod", "h0", 3)
        self.assertEqual(self.service.history.last, 1)
        self.assertEqual(self.service.clientCount, 0)

    def test_again(self) -> None:
        self.service.startService()
        self.successResultOf(self.service.stopService())
        self.service.startService()
        self.connect_()

    def test_neverStarted(self) -> None:
        self.successResultOf(self.service.stopService())

    def leave(self) -> socket.socket:
        os.mkdir(os.path.dirname(self.path), 0o700)
        other = socket.socket(socket.AF_UNIX)
        self.addCleanup(other.close)
        other.bind(self.path)
        other.listen(1)
        return other

    def test_stale(self) -> None:
        """
        The socket of a process that is no more is replaced.
        """
        self.leave().close()
        self.assertRaises(ConnectionRefusedError, self.connect_)
        self.service.bind()
        self.assertEqual(self.connect_().getpeername(), self.path)

    def test_live(self) -> None:
        """
        That of one that lives is not.
        """
        other = self.leave()
        error = self.assertRaises(ListenError, self.service.bind)
        self.assertIn("in use by another listener", str(error))
        self.connect_()
        other.settimeout(5)
        other.accept()

    def test_file(self) -> None:
        """
        Nor is anything else.
        """
        os.mkdir(os.path.dirname(self.path), 0o700)
        with open(self.path, "w"):
            pass
        error = self.assertRaises(ListenError, self.service.bind)
        self.assertIn("no socket", str(error))
