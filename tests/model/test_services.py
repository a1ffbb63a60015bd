"""
Tests for L{txlb.model._services}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import AddressError, DuplicateName, ModelError, UnknownName
from txlb.model import ProxyGroup, ProxyHost, ProxyService, TCPAddress, UNIXAddress


def service(**settings: object) -> ProxyService:
    """
    A service with settings of any kind.
    """
    return partial(ProxyService, "web", ["127.0.0.1:80"], [ProxyGroup("g", enabled=True)])(
        **settings  # type: ignore[arg-type]  # wrong ones are among them
    )


def group(**settings: object) -> ProxyGroup:
    """
    A group with settings of any kind.
    """
    return partial(ProxyGroup, "g")(**settings)  # type: ignore[arg-type]  # wrong ones among them


class HostTests(SynchronousTestCase):
    def test_host(self) -> None:
        host = ProxyHost("a", "127.0.0.1", 7001, 3)
        self.assertEqual(host.address, TCPAddress("127.0.0.1", 7001))
        self.assertEqual((host.weight, host.maxConnections), (3, None))
        self.assertEqual(ProxyHost("a", "::1", 7001).address, TCPAddress("::1", 7001))
        self.assertEqual(ProxyHost("a", "2001:DB8::1", 7001).ipOrHost, "2001:db8::1")

    def test_unix(self) -> None:
        """
        A UNIX socket has no port.
        """
        host = ProxyHost("a", "unix:/run/a.sock", 80)
        self.assertEqual(host.address, UNIXAddress("/run/a.sock"))
        self.assertEqual(host.port, 0)
        self.assertEqual(host, ProxyHost.at("a", "unix:/run/a.sock"))

    def test_at(self) -> None:
        self.assertEqual(
            ProxyHost.at("a", "127.0.0.1:7001", 2, 5), ProxyHost("a", "127.0.0.1", 7001, 2, 5)
        )
        self.assertEqual(ProxyHost.at("a", "web.example:80").address, TCPAddress("web.example", 80))

    def test_values(self) -> None:
        """
        Equal when they say the same, and never changed.
        """
        host = ProxyHost("a", "127.0.0.1", 7001)
        self.assertEqual(host, ProxyHost.at("a", "127.0.0.1:7001"))
        self.assertEqual(hash(host), hash(ProxyHost.at("a", "127.0.0.1:7001")))
        self.assertNotEqual(host, replace(host, weight=2))
        with self.assertRaises(FrozenInstanceError):
            host.weight = 2  # type: ignore[misc]  # that it can't be is the point

    def test_rules(self) -> None:
        """
        Every part is checked, by L{replace} too.
        """
        host = ProxyHost("a", "127.0.0.1", 7001)
        for wrong, error, words in (
            (partial(ProxyHost, "", "127.0.0.1", 1), ModelError, "a host needs a name"),
            (partial(ProxyHost, "a/b", "127.0.0.1", 1), ModelError, "is no name for a host"),
            (partial(ProxyHost, "a", "127.0.0.1", 0), AddressError, "port 0"),
            (partial(ProxyHost, "a", "127.0.0.1"), AddressError, "port 0"),
            (partial(ProxyHost, "a", "*", 80), AddressError, "every interface"),
            (partial(ProxyHost, "a", "10.0.0.256", 80), AddressError, "10.0.0.256"),
            (partial(ProxyHost, "a", "127.0.0.1", 70000), AddressError, "70000"),
            (partial(replace, host, weight=-1), ModelError, "weight of host 'a' is -1"),
            (
                partial(replace, host, maxConnections=0),
                ModelError,
                "maxConnections of host 'a' is 0; it is a whole number from 1 to 1000000000",
            ),
            (partial(ProxyHost.at, "a", "127.0.0.1"), AddressError, "has no port"),
        ):
            raised = self.assertRaises(error, wrong)
            self.assertIn(words, str(raised))
        self.assertEqual(replace(host, weight=0).weight, 0)


class GroupTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        made = ProxyGroup("g")
        self.assertEqual(
            (made.scheduler, made.enabled, made.hosts, made.passiveFall, made.whenAllDown),
            ("leastc", False, (), 1, "try"),
        )
        self.assertIsNone(made.sendProxy)

    def test_alias(self) -> None:
        """
        PythonDirector's words become ours.
        """
        self.assertEqual(ProxyGroup("g", "roundrobin"), ProxyGroup("g", "roundr"))

    def test_hosts(self) -> None:
        """
        Hosts are found by their names, which are theirs alone.
        """
        a, b = ProxyHost("a", "127.0.0.1", 1), ProxyHost("b", "127.0.0.1", 1)
        hosts = [a, b]
        made = ProxyGroup("g", hosts=hosts)
        hosts.clear()
        self.assertEqual(made.hosts, (a, b))
        self.assertIs(made.getHost("b"), b)
        error = self.assertRaises(UnknownName, made.getHost, "x")
        self.assertEqual(str(error), "no host of group 'g' is called 'x'; there are: a, b")
        duplicate = self.assertRaises(DuplicateName, ProxyGroup, "g", hosts=[a, a])
        self.assertEqual(
            str(duplicate),
            "group 'g' has two hosts that are called 'a'; each needs a name of its own",
        )

    def test_rules(self) -> None:
        for wrong, words in (
            ({"scheduler": "fastest"}, "no scheduler is called 'fastest'"),
            ({"enabled": "yes"}, "enabled of group 'g' is 'yes'; it is true or false"),
            ({"passiveFall": 0}, "passiveFall of group 'g' is 0; it is a whole number from 1"),
            ({"passiveFall": 101}, "from 1 to 100"),
            ({"whenAllDown": "wait"}, "whenAllDown of group 'g' is 'wait'; it is try or close"),
            ({"sendProxy": "v3"}, "sendProxy of group 'g' is 'v3'; it is v1, v2 or v2-ssl"),
        ):
            with self.assertRaises((ModelError, UnknownName)) as caught:
                group(**wrong)
            self.assertIn(words, str(caught.exception))
        self.assertRaises(ModelError, ProxyGroup, " g")
        self.assertEqual(group(sendProxy="v2", whenAllDown="close").sendProxy, "v2")


class WithTests(SynchronousTestCase):
    """
    A group with another host, and a service with another group, are what
    L{dataclasses.replace} makes of them.
    """

    def setUp(self) -> None:
        hosts = [ProxyHost(name, "127.0.0.1", 1) for name in "abc"]
        self.group = ProxyGroup("g", enabled=True, hosts=hosts, maxQueue=3)
        self.other = ProxyGroup("h")
        self.service = ProxyService("web", ["*:80"], [self.other, self.group], retries=5)

    def test_host(self) -> None:
        host = ProxyHost("b", "127.0.0.1", 2, 7)
        changed = self.group.withHost(host)
        a, b, c = self.group.hosts
        self.assertEqual(changed, replace(self.group, hosts=(a, host, c)))
        self.assertIs(changed.getHost("b"), host)
        self.assertIs(changed.getHost("a"), a)
        self.assertIs(self.group.getHost("b"), b)
        error = self.assertRaises(UnknownName, changed.withHost, ProxyHost("d", "127.0.0.1", 1))
        self.assertIn("no host of group 'g' is called 'd'", str(error))

    def test_group(self) -> None:
        group = replace(self.group, maxQueue=9)
        changed = self.service.withGroup(group)
        self.assertEqual(changed, replace(self.service, groups=(self.other, group)))
        self.assertIs(changed.enabledGroup, group)
        self.assertIs(self.service.enabledGroup, self.group)
        again = changed.withGroup(replace(self.other, minimumUp=2))
        self.assertIs(again.enabledGroup, group)
        self.assertEqual(again.getGroup("h").minimumUp, 2)
        error = self.assertRaises(UnknownName, changed.withGroup, ProxyGroup("i"))
        self.assertIn("no group of service 'web' is called 'i'", str(error))

    def test_enabled(self) -> None:
        """
        The rule that one group is enabled is looked at if another one is.
        """
        for group in (replace(self.group, enabled=False), replace(self.other, enabled=True)):
            self.assertRaises(ModelError, self.service.withGroup, group)

    def test_admission(self) -> None:
        """
        The admission differs if one of its settings does, and no other.
        """
        before = self.service.admission
        self.assertEqual(replace(self.service, retries=1).admission, before)
        for name, value in (
            ("allow", ["10.0.0.0/8"]),
            ("deny", ["unix"]),
            ("maxConnectionsPerClient", 1),
            ("ratePerClient", 1.0),
            ("burstPerClient", 1),
        ):
            changed = replace(self.service, **{name: value})  # type: ignore[arg-type]
            self.assertNotEqual(changed.admission, before)


class ServiceTests(SynchronousTestCase):
    def test_service(self) -> None:
        """
        Addresses may be pairs, texts or addresses.
        """
        on, off = ProxyGroup("on", enabled=True), ProxyGroup("off")
        made = ProxyService("web", [("127.0.0.1", 80), "*:81", UNIXAddress("/a")], [off, on])
        self.assertEqual(
            made.addresses, (TCPAddress("127.0.0.1", 80), TCPAddress("", 81), UNIXAddress("/a"))
        )
        self.assertIs(made.enabledGroup, on)
        self.assertIs(made.getGroup("off"), off)
        self.assertEqual(made, ProxyService("web", ["127.0.0.1:80", ":81", "unix:/a"], (off, on)))
        with self.assertRaises(FrozenInstanceError):
            made.name = "x"  # type: ignore[misc]  # that it can't be is the point
        error = self.assertRaises(UnknownName, made.getGroup, "onn")
        self.assertEqual(
            str(error), "no group of service 'web' is called 'onn'; did you mean 'on'?"
        )

    def test_defaults(self) -> None:
        made = service()
        self.assertEqual(
            (made.maxConnections, made.connectTimeout, made.dialTimeout, made.retries),
            (10_000, 5.0, 10.0, 3),
        )
        self.assertEqual((made.idleTimeout, made.resolveInterval), (3600.0, 30.0))
        self.assertEqual(made.relay, "auto")

    def test_enabledGroups(self) -> None:
        """
        One group is enabled, no more and no fewer.
        """
        a, b = ProxyGroup("a", enabled=True), ProxyGroup("b", enabled=True)
        off = ProxyGroup("off")
        for groups, told in (
            ([], "has no group; it needs one, whose hosts get the connections"),
            ([off], "has no enabled group; enable 'off', as exactly one gets the connections"),
            (
                [a, b, off],
                "has 'a' and 'b' enabled; enable one of them, as exactly one gets the connections",
            ),
        ):
            error = self.assertRaises(ModelError, ProxyService, "web", ["*:80"], groups)
            self.assertEqual(str(error), f"service 'web' {told}")

    def test_addresses(self) -> None:
        """
        It listens somewhere, and nowhere twice; free ports are each another.
        """
        groups = [ProxyGroup("g", enabled=True)]
        error = self.assertRaises(ModelError, ProxyService, "web", [], groups)
        self.assertEqual(str(error), "service 'web' listens nowhere; give it at least one address")
        for twice in (["*:80", ":80"], ["[::1]:1", "[0::1]:1"], ["unix:/a", "unix:/a"]):
            duplicate = self.assertRaises(DuplicateName, ProxyService, "web", twice, groups)
            self.assertIn("service 'web' listens twice on ", str(duplicate))
            self.assertIn("each listener needs an address of its own", str(duplicate))
        self.assertEqual(len(ProxyService("web", [":0", ":0"], groups).addresses), 2)
        self.assertRaises(AddressError, ProxyService, "web", ["nowhere"], groups)

    def test_groupsTwice(self) -> None:
        groups = [ProxyGroup("g", enabled=True), ProxyGroup("g")]
        error = self.assertRaises(DuplicateName, ProxyService, "web", ["*:80"], groups)
        self.assertEqual(
            str(error),
            "service 'web' has two groups that are called 'g'; each needs a name of its own",
        )

    def test_noList(self) -> None:
        """
        One address where a list of them stands is told as that.
        """
        groups = [ProxyGroup("g", enabled=True)]
        for value in (8080, "127.0.0.1:8080", ("127.0.0.1", 8080), TCPAddress("::1", 80), None):
            error = self.assertRaises(ModelError, ProxyService, "web", value, groups)
            self.assertEqual(
                str(error),
                f"addresses of service 'web' is {value!r}; it is a list of addresses, as in "
                "['127.0.0.1:8080']",
            )

    def test_settings(self) -> None:
        """
        Each setting has its range, and the error names the setting.
        """
        for setting, good, wrong in (
            ("maxConnections", (1, 1_000_000), (0, 1_000_001, 1.5)),
            ("retries", (0, 100), (-1, 101, "3")),
            ("connectTimeout", (0.01, 3600), (0, 3601, None)),
            ("dialTimeout", (0.01, 3600), (0.001, 3601)),
            ("idleTimeout", (0, 0.5, 604800), (-1, 604801)),
            ("finTimeout", (0, 0.5, 604800), (-1, 604801)),
            ("resolveInterval", (1, 86400), (0.5, 86401)),
            ("relay", ("auto", "fast", "portable"), ("", None)),
            ("maxConnectionsPerClient", (None, 1, 1_000_000), (0, 1_000_001, 1.5)),
            ("ratePerClient", (None, 0.001, 5, 1e6), (0, 1_000_001, "5/s")),
            ("burstPerClient", (None, 1, 1_000_000), (0, 1_000_001, 1.5)),
        ):
            for value in good:
                self.assertEqual(getattr(service(**{setting: value}), setting), value)
            for bad in wrong:
                error = self.assertRaises(ModelError, service, **{setting: bad})
                self.assertIn(f"{setting} of service 'web' is {bad!r}; it is ", str(error))
        self.assertIs(type(service(idleTimeout=5).idleTimeout), float)

    def test_networks(self) -> None:
        """
        Who may come in is read as networks; each stands there once.
        """
        made = service(allow=["192.0.2.1/32", "::ffff:10.0.0.0/104"], deny=("all",))
        self.assertEqual((made.allow, made.deny), (("192.0.2.1", "10.0.0.0/8"), ("all",)))
        for lists, words in (
            ({"allow": "10.0.0.0/8"}, "allow of service 'web' is '10.0.0.0/8'; it is a list"),
            ({"deny": 5}, "deny of service 'web' is 5; it is a list"),
            ({"deny": ["x"]}, "'x' is no network of clients"),
            ({"deny": ["::1", "0::1"]}, "::1 stands twice in deny of service 'web'"),
            ({"allow": ["::1"], "deny": ["0::1"]}, "::1 stands twice in allow and deny of"),
        ):
            error = self.assertRaises(ModelError, service, **lists)
            self.assertIn(words, str(error))

    def test_name(self) -> None:
        make: Callable[[], ProxyService] = partial(
            ProxyService, "a/b", ["*:80"], [ProxyGroup("g", enabled=True)]
        )
        self.assertRaises(ModelError, make)
