"""
Tests for L{txlb.wire._agent}.

The lines are made from HAProxy's configuration manual, C{agent-check}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.wire import (
    MAX_AGENT_LINE,
    AgentHealth,
    AgentReader,
    AgentReply,
    AgentState,
    formatAgentReply,
    parseAgentReply,
)

numbers = st.none() | st.integers(0, 10**9)
reasons = st.text(max_size=200).map(
    lambda text: "".join(filter(str.isprintable, text)).encode("utf-8", "replace").decode().strip()
)


@st.composite
def replies(draw: st.DrawFn) -> AgentReply:
    health = draw(st.none() | st.sampled_from(AgentHealth))
    percent, weight = draw(numbers), draw(numbers)
    return AgentReply(
        percent=percent,
        weight=weight if percent is None else None,
        maxConnections=draw(numbers),
        state=draw(st.none() | st.sampled_from(AgentState)),
        health=health,
        reason=draw(reasons) if health is not None else "",
    )


class ParseTests(SynchronousTestCase):
    def test_words(self) -> None:
        for line, reply in (
            (b"75%\n", AgentReply(percent=75)),
            (b"0%\r\n", AgentReply(percent=0)),
            (b"150%\n", AgentReply(percent=150)),
            (b"weight:40\n", AgentReply(weight=40)),
            (b"weight:40%\n", AgentReply(percent=40)),
            (b"maxconn:30\n", AgentReply(maxConnections=30)),
            (b"ready\n", AgentReply(state=AgentState.READY)),
            (b"drain\n", AgentReply(state=AgentState.DRAIN)),
            (b"maint\n", AgentReply(state=AgentState.MAINT)),
            (b"up\n", AgentReply(health=AgentHealth.UP)),
            (b"down\n", AgentReply(health=AgentHealth.DOWN)),
            (b"fail\n", AgentReply(health=AgentHealth.FAIL)),
            (b"stopped\n", AgentReply(health=AgentHealth.STOPPED)),
        ):
            self.assertEqual(parseAgentReply(line), reply, line)
            self.assertEqual(parseAgentReply(line.upper()), reply, line)

    def test_several(self) -> None:
        """
        Words stand in any order, between blanks, tabs or commas; a description
        is the rest of the line.
        """
        whole = AgentReply(
            percent=75,
            maxConnections=30,
            state=AgentState.READY,
            health=AgentHealth.DOWN,
            reason="out of disk, 3% left",
        )
        for line in (
            b"ready down 75% maxconn:30 # out of disk, 3% left\n",
            b"ready,down,75%,maxconn:30,#out of disk, 3% left\r\n",
            b"\t, maxconn:30\tDown ,,75% Ready\t #\tout of disk, 3% left \rup\n",
        ):
            self.assertEqual(parseAgentReply(line), whole)

    def test_last(self) -> None:
        """
        The last word of a kind counts.
        """
        self.assertEqual(
            parseAgentReply(b"up drain 10% maxconn:1 ready down weight:7 maxconn:2\n"),
            AgentReply(weight=7, maxConnections=2, state=AgentState.READY, health=AgentHealth.DOWN),
        )
        self.assertEqual(parseAgentReply(b"weight:7 10%\n"), AgentReply(percent=10))

    def test_description(self) -> None:
        """
        A description means something beside the health only, and a sharp inside
        a word is none.
        """
        self.assertEqual(parseAgentReply(b"drain #for the night\n").reason, "")
        self.assertIn("down#why", parseAgentReply(b"down#why\n").error)

    def test_firstLine(self) -> None:
        self.assertEqual(parseAgentReply(b"up\ndown\n"), AgentReply(health=AgentHealth.UP))
        self.assertEqual(parseAgentReply(b"up\rdown\n"), AgentReply(health=AgentHealth.UP))
        self.assertEqual(parseAgentReply(b"up"), AgentReply(health=AgentHealth.UP))

    def test_garbage(self) -> None:
        """
        What can't be understood is told, and spoils nothing else.
        """
        for line in (
            b"hello\n",
            b"75\n",
            b"%\n",
            b"7.5%\n",
            b"-3%\n",
            b"75%%\n",
            b"\xc2\xb2%\n",
            b"1000000001%\n",
            b"9" * 500 + b"%\n",
            b"weight:\n",
            b"weight:x\n",
            b"weight\n",
            b"weight:%\n",
            b"maxconn:\n",
            b"maxconn:1%\n",
            b"maxconn\n",
            b"\xff\xfe\0\n",
            b"HTTP/1.1 400 Bad Request\r\n",
        ):
            reply = parseAgentReply(line)
            self.assertTrue(reply.error, line)
            self.assertTrue(reply.isEmpty, line)
            self.assertTrue(reply.error.isprintable(), line)
        mixed = parseAgentReply(b"hello 75% maxconn:many up\n")
        self.assertEqual((mixed.percent, mixed.health), (75, AgentHealth.UP))
        self.assertIn("'hello'", mixed.error)
        self.assertFalse(mixed.isEmpty)

    def test_nothing(self) -> None:
        for line in (b"", b"\n", b" ,\t\r\n", b"#down\n"):
            self.assertIn("nothing", parseAgentReply(line).error)

    def test_tooLong(self) -> None:
        self.assertIn("1024", parseAgentReply(b"up " + b" " * MAX_AGENT_LINE).error)
        self.assertTrue(parseAgentReply(b"up " + b" " * MAX_AGENT_LINE).isEmpty)
        longest = b"up" + b" " * (MAX_AGENT_LINE - 3) + b"\n"
        self.assertEqual(parseAgentReply(longest), AgentReply(health=AgentHealth.UP))

    def test_noEscapes(self) -> None:
        """
        A reason can be shown on a terminal.
        """
        self.assertEqual(parseAgentReply(b"down #a\x1b[2Jb\x07\n").reason, "a?[2Jb?")

    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """
        Whatever an agent sends, there is a reply, and what it says can be said.
        """
        reply = parseAgentReply(data)
        self.assertNotEqual(reply.isEmpty and not reply.error, True)
        again = parseAgentReply(formatAgentReply(reply))
        if not reply.isEmpty:
            self.assertEqual(again.percent, reply.percent)
            self.assertEqual(again.reason, reply.reason)


class FormatTests(SynchronousTestCase):
    def test_words(self) -> None:
        for reply, line in (
            (AgentReply(), b"\n"),
            (AgentReply(percent=75), b"75%\n"),
            (AgentReply(weight=3), b"weight:3\n"),
            (
                AgentReply(
                    percent=0,
                    maxConnections=30,
                    state=AgentState.DRAIN,
                    health=AgentHealth.DOWN,
                    reason="no disk",
                ),
                b"drain down 0% maxconn:30 #no disk\n",
            ),
        ):
            self.assertEqual(formatAgentReply(reply), line)

    @given(replies())
    def test_roundTrip(self, reply: AgentReply) -> None:
        line = formatAgentReply(reply)
        self.assertLessEqual(len(line), MAX_AGENT_LINE)
        self.assertEqual(line.count(b"\n"), 1)
        back = parseAgentReply(line)
        if reply.isEmpty:
            self.assertTrue(back.isEmpty)
        else:
            self.assertEqual(back, reply)

    def test_longReason(self) -> None:
        """
        A reason in letters of four bytes is cut between two of them.
        """
        reply = AgentReply(health=AgentHealth.DOWN, reason="\N{OLD ITALIC LETTER A}" * 512)
        line = formatAgentReply(reply)
        self.assertLessEqual(len(line), MAX_AGENT_LINE)
        self.assertTrue(reply.reason.startswith(parseAgentReply(line).reason))
        self.assertGreater(len(parseAgentReply(line).reason), 200)

    def test_wrongValues(self) -> None:
        for wrong in (
            {"percent": -1},
            {"percent": True},
            {"weight": 10**9 + 1},
            {"maxConnections": 1.5},
            {"percent": 1, "weight": 1},
            {"health": AgentHealth.DOWN, "reason": "two\nlines"},
            {"health": AgentHealth.DOWN, "reason": " blank"},
            {"health": AgentHealth.DOWN, "reason": "x" * 513},
            {"reason": "no health"},
        ):
            self.assertRaises(ValueError, AgentReply, **wrong)


class ReaderTests(SynchronousTestCase):
    @given(replies(), st.lists(st.integers(1, 40), min_size=1, max_size=5))
    def test_pieces(self, reply: AgentReply, sizes: list[int]) -> None:
        """
        However the bytes arrive, the reply is the same.
        """
        line, reader, found, turn = formatAgentReply(reply), AgentReader(), None, 0
        while line:
            self.assertIsNone(found)
            size, turn = sizes[turn % len(sizes)], turn + 1
            found, line = reader.feed(line[:size]), line[size:]
        assert found is not None
        self.assertEqual(found.isEmpty, reply.isEmpty)
        if not reply.isEmpty:
            self.assertEqual(found, reply)

    def test_tooLong(self) -> None:
        """
        A line without an end is not waited for.
        """
        reader = AgentReader()
        self.assertIsNone(reader.feed(b"7" * (MAX_AGENT_LINE - 1)))
        found = reader.feed(b"7" * 10**6)
        assert found is not None
        self.assertIn("1024", found.error)

    def test_incomplete(self) -> None:
        """
        Of C{75%} cut after its first digit something else would come.
        """
        reader = AgentReader()
        self.assertIsNone(reader.feed(b"up 7"))
        self.assertTrue(reader.ended().isEmpty)
        self.assertIn("no end", reader.ended().error)
        self.assertIn("nothing", AgentReader().ended().error)
