"""
Tests for L{txlb.admin._channel}, L{txlb.admin._administrator} and
L{txlb.admin._log}.
"""

from __future__ import annotations

import struct

from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.common import NS
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.admin.client import ClientChannel, Wire
from tests.admin.fakes import collectLog, lines, quickChecks, quickHash
from txlb.admin import AdminUser, Caller, _channel
from txlb.admin._administrator import MAX_SESSIONS
from txlb.admin._channel import MAX_EARLY
from txlb.admin._log import printable
from txlb.admin._terminal import TerminalSession
from txlb.admin.login import Users

WHO = "anna@192.0.2.1:4321: "


class ChannelTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        stored = quickHash("secret")
        users = [
            AdminUser("anna", stored),
            AdminUser("olga", stored, access="operator"),
            AdminUser("rita", stored, access="readonly"),
        ]
        self.wire = Wire(Users(users), quickChecks())
        link = self.wire.connect()
        assert link is not None
        self.link = link
        link.login()
        self.events = collectLog(self)

    def tell(self) -> list[str]:
        """
        What was logged, except what only Conch's developers want to know.
        """
        told = lines(e for e in self.events if e["log_namespace"] == "txlb.admin")
        self.events.clear()
        return told

    def execute(self, command: bytes, terminal: bool = False) -> ClientChannel:
        channel = self.link.open()
        if terminal:
            self.link.terminal(channel)
        self.assertTrue(self.link.request(channel, b"exec", NS(command)))
        return channel


class CommandTests(ChannelTestCase):
    def test_value(self) -> None:
        channel = self.execute(b"answer")
        self.assertEqual((channel.output, channel.errors), (b"42\n", b""))
        self.assertEqual((channel.status, channel.over), (0, True))
        self.assertEqual(self.tell(), [WHO + "answer"])
        self.assertEqual(self.wire.acting, ["ssh:anna"])

    def test_error(self) -> None:
        channel = self.execute(b"1/0")
        self.assertEqual(channel.output, b"")
        self.assertIn(b"ZeroDivisionError", channel.errors)
        self.assertEqual((channel.status, channel.over), (1, True))
        self.assertEqual(self.tell(), [WHO + "1/0"])

    def test_severalLines(self) -> None:
        channel = self.execute(b"for i in 1, 2:\n  i\n\nanswer")
        self.assertEqual((channel.output, channel.status), (b"1\n2\n42\n", 0))
        self.assertEqual(len(self.tell()), 3)

    def test_atATerminal(self) -> None:
        self.assertEqual(self.execute(b"answer", terminal=True).output, b"42\r\n")

    def test_namespace(self) -> None:
        self.assertEqual(self.execute(b"show()").output, b"shown\n")

    def test_onlyOne(self) -> None:
        channel = self.link.open()
        self.link.request(channel, b"shell")
        self.assertFalse(self.link.request(channel, b"exec", NS(b"answer")))
        self.assertFalse(self.link.request(channel, b"shell"))
        self.assertFalse(self.link.terminal(channel))
        self.assertEqual(channel.output, b"")


class AccessTests(ChannelTestCase):
    """
    A Python prompt is for callers with full access, whichever way they ask for one.
    """

    def refused(self, name: str, what: bytes, data: bytes = b"", terminal: bool = False) -> None:
        link = self.wire.connect()
        assert link is not None
        link.login(name.encode())
        access = {"olga": "operator", "rita": "readonly"}[name]
        assert link.server.user is not None
        self.assertEqual(link.server.user.caller, Caller(f"ssh:{name}", access))
        self.tell()
        channel = link.open()
        if terminal:
            link.terminal(channel)
        self.assertTrue(link.request(channel, what, data))
        link.type(channel, b"answer\n")
        told = f"a Python prompt needs full access, and ssh:{name} has {access} access"
        self.assertEqual((channel.output, channel.errors), (b"", f"{told}\r\n".encode()))
        self.assertEqual((channel.status, channel.over), (1, True))
        self.assertEqual(self.tell(), [f"{name}@192.0.2.1:4321: {told}"])
        self.assertEqual(self.wire.acting, [])

    def test_command(self) -> None:
        for name in ("olga", "rita"):
            self.refused(name, b"exec", NS(b"answer"))

    def test_script(self) -> None:
        self.refused("rita", b"shell")

    def test_terminal(self) -> None:
        self.refused("olga", b"shell", terminal=True)


class ShellTests(ChannelTestCase):
    def test_script(self) -> None:
        channel = self.link.open()
        self.assertTrue(self.link.request(channel, b"shell"))
        self.link.type(channel, b"answer\nprint('x')\n")
        self.assertEqual((channel.output, channel.status), (b"42\nx\n", None))
        self.link.connection.sendEOF(channel)
        self.link.pump()
        self.assertEqual((channel.status, channel.over), (0, True))

    def test_early(self) -> None:
        """
        Input may come before it is said what it is for, but not without end.
        """
        channel = self.link.open()
        self.link.type(channel, b"answer\n")
        self.link.connection.sendEOF(channel)
        self.link.request(channel, b"shell")
        self.assertEqual((channel.output, channel.status), (b"42\n", 0))
        channel = self.link.open()
        self.link.type(channel, b"x" * (MAX_EARLY + 1))
        self.assertEqual((channel.status, channel.over), (1, True))

    def test_terminal(self) -> None:
        channel = self.link.open()
        self.assertTrue(self.link.terminal(channel, 100, 30))
        self.assertTrue(self.link.request(channel, b"shell"))
        self.link.type(channel, b"answer\r")
        self.assertTrue(channel.output.endswith(b"\r\n42\r\n>>> "), channel.output)
        self.assertEqual(self.tell(), [WHO + "answer"])
        self.assertEqual(self.wire.acting, ["ssh:anna"])
        prompt = self.terminalSize()
        self.assertEqual(prompt, (100, 30))
        self.assertTrue(self.link.resize(channel, 90, 20))
        self.assertEqual(self.terminalSize(), (90, 20))
        self.link.type(channel, b"\x04")
        self.assertEqual((channel.status, channel.over), (0, True))

    def terminalSize(self) -> tuple[int, int]:
        assert self.link.server.user is not None
        (channel,) = self.link.server.user.sessions
        assert isinstance(channel.session, TerminalSession)
        prompt = channel.session._terminal.terminalProtocol
        return prompt.width, prompt.height

    def test_strangeSizes(self) -> None:
        channel = self.link.open()
        self.link.terminal(channel, 0, 2**32 - 1)
        self.assertTrue(self.link.resize(channel, 5, 5))
        self.link.request(channel, b"shell")
        self.assertEqual(self.terminalSize(), (80, 24))

    def test_endOfInput(self) -> None:
        channel = self.link.open()
        self.link.terminal(channel)
        self.link.request(channel, b"shell")
        self.link.connection.sendEOF(channel)
        self.link.pump()
        self.assertTrue(channel.over)

    def test_clientCloses(self) -> None:
        channel = self.link.open()
        self.link.request(channel, b"shell")
        self.link.connection.sendClose(channel)
        self.link.pump()
        assert self.link.server.user is not None
        self.assertEqual(self.link.server.user.sessions, [])
        self.assertTrue(channel.over)

    def test_otherInput(self) -> None:
        channel = self.link.open()
        self.link.request(channel, b"shell")
        channel.writeExtended(1, b"1/0\n")
        self.link.pump()
        self.assertEqual((channel.output, channel.errors), (b"", b""))


class RefusalTests(ChannelTestCase):
    def test_forwarding(self) -> None:
        for kind in (b"direct-tcpip", b"auth-agent@openssh.com", b"\xff{x}"):
            channel = self.link.open(kind)
            self.assertFalse(channel.opened)
            self.assertIn("there is a prompt here", str(channel.refused))
            (line,) = self.tell()
            self.assertIn(f"{WHO}refused a channel of the kind {kind!r}", line)

    def test_globalRequests(self) -> None:
        for kind in (b"tcpip-forward", b"keepalive@openssh.com", b"\xff"):
            answer = self.link.connection.sendGlobalRequest(kind, b"", wantReply=1)
            self.link.pump()
            self.failureResultOf(answer)
        self.assertEqual(self.tell(), [])

    def test_requests(self) -> None:
        channel = self.link.open()
        for what in (b"subsystem", b"auth-agent-req@openssh.com", b"x11-req"):
            self.assertFalse(self.link.request(channel, what, NS(b"sftp")))
            (line,) = self.tell()
            self.assertIn(f"{WHO}refused {what.decode()}", line)
        for what in (b"env", b"signal", b"\xff"):
            self.assertFalse(self.link.request(channel, what, NS(b"LANG") + NS(b"C")))
        self.assertEqual(self.tell(), [])

    def test_malformedRequests(self) -> None:
        channel = self.link.open()
        for what in (b"pty-req", b"window-change", b"exec"):
            self.assertFalse(self.link.request(channel, what, b"\0\0"))
        self.link.request(channel, b"shell")
        self.link.type(channel, b"answer\n")
        self.assertEqual(channel.output, b"42\n")

    def test_number(self) -> None:
        channels = [self.link.open() for _ in range(MAX_SESSIONS)]
        self.assertFalse(self.link.open().opened)
        (line,) = self.tell()
        self.assertIn(f"a connection has at most {MAX_SESSIONS}", line)
        self.link.connection.sendClose(channels[0])
        self.link.pump()
        self.assertTrue(self.link.open().opened)

    def test_packetsOfNothing(self) -> None:
        """
        A client that takes no bytes at a time would be sent to for ever.
        """
        self.link.client.sendPacket(90, NS(b"session") + struct.pack(">3L", 9, 1000, 0))
        self.link.connection.channels[9] = refused = ClientChannel()
        self.link.pump()
        self.assertFalse(refused.opened)
        self.assertIsNotNone(refused.refused)

    def test_nothingIsAnErrorOfOurs(self) -> None:
        self.link.open(b"direct-tcpip")
        self.assertEqual([e for e in self.events if e["log_level"] > LogLevel.warn], [])


class UnreadTests(ChannelTestCase):
    def test_bound(self) -> None:
        self.patch(_channel, "MAX_UNREAD", 1000)
        for command in (b"'x' * 2000", b"raise ValueError('x' * 2000)"):
            channel = self.link.open(localWindow=10)
            self.patch(self.link.connection, "adjustWindow", lambda *_: None)
            self.link.request(channel, b"shell")
            self.link.type(channel, command + b"\n")
            self.assertTrue(channel.over)
            self.assertEqual(channel.status, 1)
            self.assertRegex(self.tell()[-1], "anna.*bytes of output were not read")

    def test_slow(self) -> None:
        """
        Within the bound it waits.
        """
        channel = self.link.open(localWindow=10)
        self.link.request(channel, b"shell")
        self.link.type(channel, b"'x' * 500\n")
        self.assertEqual(channel.output, b"'" + b"x" * 500 + b"'\n")


class UserTests(ChannelTestCase):
    def test_interface(self) -> None:
        user = self.link.server.user
        verifyObject(IConchUser, user)

    def test_stoppingBeforeAnything(self) -> None:
        channel = self.link.open()
        assert self.link.server.user is not None
        self.link.server.user.stopping()
        self.link.pump()
        self.assertTrue(channel.over)


class PrintableTests(SynchronousTestCase):
    def test_oneLine(self) -> None:
        self.assertEqual(printable("é中 'x'"), "é中 'x'")
        self.assertEqual(printable("a\nb\x1b[2J\u202e"), "a\\nb\\x1b[2J\\u202e")

    def test_limit(self) -> None:
        self.assertEqual(printable("abcdef", 4), "abcd…")
