"""
Tests for L{txlb.model._mapper}.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import AddressError, DuplicateName, ModelError, UnknownName
from txlb.model import (
    HostMapper,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    TCPAddress,
    convertMapperToModel,
)
from txlb.schedulers import leastc, roundr, weightr


def mapper(**settings: object) -> HostMapper:
    """
    A mapper, of which everything can be set otherwise.
    """
    usual: dict[str, object] = {
        "proxy": "127.0.0.1:8080",
        "host": "host1",
        "address": "127.0.0.1:7001",
    }
    return HostMapper(**{**usual, **settings})  # type: ignore[arg-type]  # wrong ones among them


class MapperTests(SynchronousTestCase):
    def test_announcement(self) -> None:
        """
        The example of the 1.1.0 announcement.
        """
        made = convertMapperToModel(
            [
                HostMapper(
                    proxy="127.0.0.1:8080",
                    lbType=leastc,
                    host=f"host{number}",
                    address=f"127.0.0.1:700{number}",
                )
                for number in (1, 2, 3)
            ]
        )
        hosts = [ProxyHost(f"host{number}", "127.0.0.1", 7000 + number) for number in (1, 2, 3)]
        group = ProxyGroup("group1", leastc, True, hosts)
        self.assertEqual(made, [ProxyService("proxy1", ["127.0.0.1:8080"], [group])])

    def test_values(self) -> None:
        self.assertEqual(mapper(), mapper())
        self.assertNotEqual(mapper(), mapper(weight=2))
        with self.assertRaises(FrozenInstanceError):
            mapper().weight = 2  # type: ignore[misc]  # that it can't be is the point
        self.assertEqual(mapper(lbType="leastconns"), mapper(lbType="leastc"))

    def test_addressList(self) -> None:
        """
        A list of addresses is kept as it was when it was given.
        """
        given = ["127.0.0.1:8080", "[::1]:8080"]
        made = mapper(proxy=given)
        given.append("nowhere")
        self.assertEqual(
            made.listenAddresses(), (TCPAddress("127.0.0.1", 8080), TCPAddress("::1", 8080))
        )
        self.assertEqual(hash(made), hash(mapper(proxy=("127.0.0.1:8080", "[::1]:8080"))))

    def test_oneAddress(self) -> None:
        """
        One address may be anything that an address can be written as.
        """
        for value in (("127.0.0.1", 8080), TCPAddress("127.0.0.1", 8080)):
            self.assertEqual(
                mapper(proxy=value).listenAddresses(), (TCPAddress("127.0.0.1", 8080),)
            )

    def test_noAddress(self) -> None:
        """
        A port alone is told as that, and not as C{'int' object is not iterable}.
        """
        error = self.assertRaises(AddressError, mapper, proxy=8080)
        self.assertEqual(
            str(error),
            "8080 is no address but a port; write host:port, as in '127.0.0.1:8080'",
        )
        error = self.assertRaises(AddressError, mapper, proxy=8080.5)
        self.assertIn("8080.5 is no address; write host:port", str(error))

    def test_rules(self) -> None:
        for settings, error, words in (
            ({"proxy": ""}, ModelError, "the HostMapper of host 'host1' has no proxy"),
            ({"proxy": []}, ModelError, "has no proxy; say where the service listens"),
            ({"proxy": "127.0.0.1"}, AddressError, "'127.0.0.1' has no port"),
            ({"proxy": ["*:80", "x"]}, AddressError, "'x' has no port"),
            ({"lbType": "best"}, UnknownName, "no scheduler is called 'best'"),
            ({"host": ""}, ModelError, "a host needs a name"),
            ({"address": ""}, AddressError, "'' has no port"),
            ({"address": "*:80"}, AddressError, "every interface"),
            ({"weight": -1}, ModelError, "weight of host 'host1' is -1"),
            ({"proxyName": ""}, ModelError, "a service needs a name"),
            ({"groupName": "a/b"}, ModelError, "'a/b' is no name for a group"),
        ):
            raised = self.assertRaises(error, partial(mapper, **settings))
            self.assertIn(words, str(raised))

    def test_host(self) -> None:
        self.assertEqual(
            mapper(address="unix:/a", weight=3).proxyHost(), ProxyHost("host1", "unix:/a", weight=3)
        )


class ConvertTests(SynchronousTestCase):
    def test_none(self) -> None:
        self.assertEqual(convertMapperToModel([]), [])

    def test_order(self) -> None:
        """
        Services, groups and hosts come in the order of the list, even where it
        mixes them.
        """
        made = convertMapperToModel(
            [
                mapper(proxyName="b", groupName="y", host="2"),
                mapper(proxyName="a", groupName="y", host="1", lbType=weightr),
                mapper(proxyName="b", groupName="x", host="1", enabled=False, lbType=roundr),
                mapper(proxyName="b", groupName="y", host="1"),
            ]
        )
        self.assertEqual([service.name for service in made], ["b", "a"])
        self.assertEqual([group.name for group in made[0].groups], ["y", "x"])
        self.assertEqual([host.name for host in made[0].groups[0].hosts], ["2", "1"])
        self.assertEqual([group.scheduler for group in made[0].groups], ["leastc", "roundr"])
        self.assertEqual(made[0].enabledGroup.name, "y")

    def test_sameGroupName(self) -> None:
        """
        Two services with a group of the same name don't share its hosts.
        """
        made = convertMapperToModel(
            [mapper(proxyName="a", host="1"), mapper(proxyName="b", host="2", weight=5)]
        )
        self.assertEqual(
            [[host.name for host in service.groups[0].hosts] for service in made], [["1"], ["2"]]
        )

    def test_addresses(self) -> None:
        """
        A service listens on all that its mappers say, once each.
        """
        (made,) = convertMapperToModel(
            [
                mapper(host="1", proxy="*:80"),
                mapper(host="2", proxy=[":80", "*:81"]),
                mapper(host="3", proxy="*:81"),
            ]
        )
        self.assertEqual(made.addresses, (TCPAddress("", 80), TCPAddress("", 81)))

    def test_contradictions(self) -> None:
        """
        A group has one scheduler, and is enabled or not.
        """
        for setting, one, other in (("lbType", "leastc", "roundr"), ("enabled", True, False)):
            error = self.assertRaises(
                ModelError,
                convertMapperToModel,
                [mapper(host="1", **{setting: one}), mapper(host="2", **{setting: other})],
            )
            self.assertEqual(
                str(error),
                f"hosts '1' and '2' of proxy1/group1 say {setting}={one!r} and {other!r}; "
                "it is one setting of the group",
            )

    def test_rules(self) -> None:
        """
        What is put together has to be a service.
        """
        self.assertRaises(DuplicateName, convertMapperToModel, [mapper(), mapper()])
        two = [mapper(groupName="a"), mapper(groupName="b")]
        error = self.assertRaises(ModelError, convertMapperToModel, two)
        self.assertIn("service 'proxy1' has 'a' and 'b' enabled", str(error))
        error = self.assertRaises(ModelError, convertMapperToModel, [mapper(enabled=False)])
        self.assertIn("service 'proxy1' has no enabled group; enable 'group1', ", str(error))
