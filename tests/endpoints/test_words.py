"""
Tests for L{txlb.endpoints._words}, by way of Twisted's plugins.
"""

from __future__ import annotations

from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txlb.endpoints import PoolEndpoint, PoolWordsError, endpointFromWords
from txlb.model import TCPAddress, UNIXAddress
from txlb.pool import DialLimits


class WordsTests(SynchronousTestCase):
    def test_clientFromString(self) -> None:
        """
        Twisted finds the endpoint by its word.
        """
        reactor = MemoryReactorClock()
        endpoint = clientFromString(
            reactor,
            r"txlb:leastc:192.0.2.1\:80*3:[2001\:db8\:\:1]\:81:unix\:/run/c"
            r":connectTimeout=2.5:dialTimeout=6:retries=1:sticky=user 1",
        )
        self.assertIsInstance(endpoint, PoolEndpoint)
        pool = endpoint.pool
        self.assertEqual(pool.scheduler.name, "leastc")
        self.assertEqual(
            [(host.configured.address, host.weight) for host in pool.hosts],
            [
                (TCPAddress("192.0.2.1", 80), 3),
                (TCPAddress("2001:db8::1", 81), 1),
                (UNIXAddress("/run/c"), 1),
            ],
        )
        self.assertEqual(endpoint._limits, DialLimits(2.5, 6, 1))
        self.assertEqual(endpoint._clientAddr, "user 1")
        endpoint.connect(Factory.forProtocol(Protocol))
        self.assertEqual(reactor.tcpClients[0][:2], ("192.0.2.1", 80))

    def test_name(self) -> None:
        """
        A host may have a name.
        """
        endpoint = endpointFromWords(None, "roundr", "a.example:80")
        self.assertEqual(endpoint.pool.hosts[0].configured.address, TCPAddress("a.example", 80))

    def test_wrong(self) -> None:
        """
        An error names the word and the remedy.
        """
        for words, settings, message in (
            ((), {}, "at least one host"),
            (("leastc",), {}, "at least one host"),
            (("fast", "a:1"), {}, "fast"),
            (("leastc", "a"), {}, "a"),
            (("leastc", "a:1*x"), {}, "'x' in 'a:1*x' is no weight"),
            (("leastc", "a:1*70000"), {}, "70000"),
            (("leastc", "a:1"), {"retry": "1"}, "there is no setting 'retry'; there are"),
            (("leastc", "a:1"), {"retries": "x"}, "retries='x' is no number"),
            (("leastc", "a:1"), {"connectTimeout": "-1"}, "connectTimeout=-1 is not between"),
            (("leastc", "a:1"), {"dialTimeout": "nan"}, "dialTimeout=nan is not between"),
        ):
            with self.assertRaises(PoolWordsError, msg=f"{words} {settings}") as raised:
                endpointFromWords(None, *words, **settings)
            self.assertIn(message, str(raised.exception))
