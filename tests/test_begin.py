"""
Tests for L{txlb._begin} and the plugins that call it.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

import txlb.agenttap
import txlb.tap
from txlb import _begin
from txlb._begin import EARLY, EarlySignals, openStandardDescriptors


class SignalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        for number in EARLY:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
            signal.signal(number, signal.SIG_DFL)

    def test_noted(self) -> None:
        """
        The signals that would kill the process are noted, each once.
        """
        early = EarlySignals()
        early.take()
        self.assertEqual(early.came, set())
        for number in (*EARLY, *EARLY):
            os.kill(os.getpid(), number)
        self.assertEqual(early.came, set(EARLY))

    def test_leftAlone(self) -> None:
        """
        What C{nohup} has had ignored stays so, as does a handler that is there.
        """
        came: list[int] = []
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
        early = EarlySignals()
        early.take()
        for number in EARLY:
            os.kill(os.getpid(), number)
        self.assertEqual((early.came, came), ({signal.SIGUSR2}, [signal.SIGUSR1]))

    def test_plugins(self) -> None:
        """
        They are taken when twistd asks a command for its options, which imports the rest of txlb,
        and not before: other commands of twistd are none of ours.
        """
        begun: list[str] = []
        self.patch(_begin, "begin", lambda: begun.append("begun"))
        makers: dict[str, Any] = {each.tapname: each for each in getPlugins(IServiceMaker)}
        self.assertEqual(begun, [])
        for name, tap in (("txlb", txlb.tap), ("txlb-agent", txlb.agenttap)):
            self.assertIs(makers[name].options, tap.Options)
            self.assertEqual(begun.pop(), "begun")

    def test_begin(self) -> None:
        opened: list[int] = []
        self.patch(_begin, "openStandardDescriptors", lambda: opened.append(1))
        _begin.begin()
        self.assertEqual(len(opened), 1)
        for number in EARLY:
            self.assertEqual(signal.getsignal(number), _begin.earlySignals._note)


class DescriptorsTests(SynchronousTestCase):
    def test_opened(self) -> None:
        """
        Those of the three that are closed are the null device afterwards, for programs that are
        started too; one that is open stays what it is.
        """
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        first = 10 + max(int(each) for each in os.listdir("/dev/fd"))
        os.dup2(writer, first + 1)
        os.close(writer)
        openStandardDescriptors(first)
        null = os.stat(os.devnull)
        for number in range(first, first + 3):
            self.addCleanup(os.close, number)
            isNull = os.path.samestat(os.fstat(number), null)
            self.assertEqual(isNull, number != first + 1)
            if isNull:
                self.assertTrue(os.get_inheritable(number))

    def test_lowest(self) -> None:
        """
        The system gives the lowest number that is free, which is mostly the one that is wanted.
        """
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.close(writer)
        # Those above are open, as in a process that has closed its standard input only.
        for number in (writer + 1, writer + 2):
            try:
                os.fstat(number)
            except OSError:
                os.dup2(reader, number)
                self.addCleanup(os.close, number)
        before = [os.fstat(number) for number in (writer + 1, writer + 2)]
        openStandardDescriptors(writer)
        self.addCleanup(os.close, writer)
        self.assertTrue(os.path.samestat(os.fstat(writer), os.stat(os.devnull)))
        for status, number in zip(before, (writer + 1, writer + 2), strict=True):
            self.assertTrue(os.path.samestat(os.fstat(number), status))
