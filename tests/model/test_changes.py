"""
Tests for L{txlb.model._changes}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import serviceLists
from tests.model.options import OptionalListener
from txlb.model import (
    ListenAddress,
    Listener,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    UNIXAddress,
    changesBetween,
)

H1 = ProxyHost("h1", "127.0.0.1", 7001)
H2 = ProxyHost("h2", "127.0.0.1", 7002)
PROD = ProxyGroup("prod", "leastc", True, [H1, H2])
TEST = ProxyGroup("test", "roundr", False, [H1])
WEB = ProxyService("web", [("", 80), ("", 81)], [PROD, TEST])


def web(*addresses: ListenAddress) -> ProxyService:
    return ProxyService("web", addresses, WEB.groups)


def group(changed: ProxyGroup) -> list[ProxyService]:
    return [replace(WEB, groups=(changed, TEST))]


class ChangesBetweenTests(SynchronousTestCase):
    def check(self, services: Sequence[ProxyService], *lines: str) -> None:
        self.assertEqual(changesBetween([WEB], services).lines, list(lines))

    def test_none(self) -> None:
        self.check([replace(WEB)])

    def test_hosts(self) -> None:
        h4 = ProxyHost.at("h4", "unix:/run/h4", 5)
        self.check(
            group(
                replace(
                    PROD,
                    hosts=(
                        H2,
                        h4,
                    ),
                )
            ),
            "host web/prod/h1 removed",
            "host web/prod/h4 added (unix:/run/h4, weight 5)",
        )

    def test_host(self) -> None:
        changed = replace(H1, port=9, weight=3, maxConnections=7)
        self.check(
            group(
                replace(
                    PROD,
                    hosts=(
                        changed,
                        H2,
                    ),
                )
            ),
            "host web/prod/h1 moved from 127.0.0.1:7001 to 127.0.0.1:9",
            "host web/prod/h1: weight 1 -> 3",
            "host web/prod/h1: maxConnections none -> 7",
        )

    def test_hostOrder(self) -> None:
        self.check(
            group(
                replace(
                    PROD,
                    hosts=(
                        H2,
                        H1,
                    ),
                )
            ),
            "hosts of web/prod in another order",
        )

    def test_group(self) -> None:
        self.check(
            group(replace(PROD, scheduler="rand", passiveFall=2, sendProxy="v1")),
            "group web/prod: scheduler leastc -> rand",
            "group web/prod: passiveFall 1 -> 2",
            "group web/prod: sendProxy none -> v1",
        )

    def test_switched(self) -> None:
        self.check(
            [replace(WEB, groups=(replace(PROD, enabled=False), replace(TEST, enabled=True)))],
            "service web: group switched from prod to test",
        )

    def test_groups(self) -> None:
        self.check(
            [replace(WEB, groups=(ProxyGroup("new", hosts=[H1]), PROD))],
            "group web/test removed",
            "group web/new added (leastc, 1 host)",
        )

    def test_groupOrder(self) -> None:
        self.check([replace(WEB, groups=(TEST, PROD))], "groups of web in another order")

    def test_listenerMoved(self) -> None:
        self.check(
            [
                replace(
                    WEB,
                    listeners=(Listener(":80"), Listener(":10080")),
                )
            ],
            "service web: listener moved from *:81 to *:10080",
        )

    def test_permissions(self) -> None:
        """
        A listener whose socket is given to others has not moved.
        """
        old = web(UNIXAddress("/a"), UNIXAddress("/b", group="www"))
        for addresses, lines in (
            (
                (UNIXAddress("/a", mode=0o666, user="1"), UNIXAddress("/b")),
                [
                    "service web: listener unix:/a mode 0600 -> 0666",
                    "service web: listener unix:/a user none -> 1",
                    "service web: listener unix:/b group www -> none",
                ],
            ),
            (
                (UNIXAddress("/a", mode=0o666),),
                [
                    "service web: listener unix:/a mode 0600 -> 0666",
                    "service web: listener unix:/b removed",
                ],
            ),
            (
                (UNIXAddress("/a"), UNIXAddress("/c", group="www")),
                ["service web: listener moved from unix:/b to unix:/c"],
            ),
        ):
            plan = changesBetween([old], [web(*addresses)])
            self.assertEqual(plan.lines, lines)
        change = changesBetween([old], [web(*addresses)]).changes[0]
        self.assertEqual(change.asDict()["after"], "unix:/c")

    def test_listeners(self) -> None:
        self.check(
            [
                replace(
                    WEB,
                    listeners=(Listener(":81"), Listener(":82"), Listener(":80")),
                )
            ],
            "service web: listener *:82 added",
            "service web: listeners in another order",
        )
        self.check(
            [replace(WEB, listeners=(Listener(":81"),))], "service web: listener *:80 removed"
        )

    def test_listenerOptions(self) -> None:
        """
        The options of a listener are compared by the fields of its class, so that a new
        one is told without a line of its own here: of a listener that stays, of one that
        moves, and of one that stays while others come.
        """
        plain = OptionalListener(":80", limit=0)
        for before, after, lines in (
            (
                [plain],
                [OptionalListener(":80", limit=5)],
                ["service web: listener *:80 limit 0 -> 5"],
            ),
            (
                [plain],
                [OptionalListener(":90", limit=5)],
                [
                    "service web: listener moved from *:80 to *:90",
                    "service web: listener *:90 limit 0 -> 5",
                ],
            ),
            (
                [plain],
                [OptionalListener(":80", limit=5), Listener(":81")],
                [
                    "service web: listener *:80 limit 0 -> 5",
                    "service web: listener *:81 added",
                ],
            ),
        ):
            old = ProxyService("web", before, WEB.groups)
            new = ProxyService("web", after, WEB.groups)
            self.assertEqual(changesBetween([old], [new]).lines, lines)

    def test_networks(self) -> None:
        """
        A list that is long is cut.
        """
        self.check(
            [replace(WEB, allow=("::1", "::2"), deny=("all",), ratePerClient=2)],
            "service web: allow none -> ::1, ::2",
            "service web: deny none -> all",
            "service web: ratePerClient none -> 2.0",
        )
        many = tuple(f"10.0.{n}.0/24" for n in range(256))
        [line] = changesBetween([WEB], [replace(WEB, allow=many)]).lines
        self.assertLess(len(line), 300)
        self.assertTrue(line.endswith("… (256 in all)"), line)

    def test_services(self) -> None:
        other = ProxyService("dns", ["unix:/run/dns"], [PROD, TEST])
        self.check(
            [other],
            "service web removed",
            "service dns added (on unix:/run/dns, 2 groups)",
        )
        self.assertEqual(
            changesBetween([WEB, other], [other, WEB]).lines, ["services in another order"]
        )

    def test_setting(self) -> None:
        self.check([replace(WEB, idleTimeout=0)], "service web: idleTimeout 3600.0 -> 0.0")

    @given(serviceLists(), serviceLists())
    def test_emptyWhereEqual(self, one: list[ProxyService], other: list[ProxyService]) -> None:
        """
        There are lines exactly where something differs.
        """
        self.assertEqual(changesBetween(one, one).lines, [])
        self.assertEqual(not changesBetween(one, other), one == other)
