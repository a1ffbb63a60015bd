"""
Tests for L{txlb.model._endpointstrings}, as addresses are read.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import AddressError
from txlb.model import (
    HostMapper,
    InheritedAddress,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    TCPAddress,
    UNIXAddress,
    convertMapperToModel,
    parseHostAddress,
    parseListenAddress,
)


class EndpointStringTests(SynchronousTestCase):
    def test_servers(self) -> None:
        """
        The description of a server endpoint is an address to listen on, at the interface
        at which Twisted would listen.
        """
        for text, address in (
            ("tcp:8080", TCPAddress("0.0.0.0", 8080)),
            ("tcp:port=8080", TCPAddress("0.0.0.0", 8080)),
            ("tcp4:0", TCPAddress("0.0.0.0", 0)),
            ("tcp6:8080", TCPAddress("::", 8080)),
            ("tcp:8080:interface=127.0.0.1", TCPAddress("127.0.0.1", 8080)),
            ("tcp6:8080:interface=\\:\\:1", TCPAddress("::1", 8080)),
            ("unix:/run/web.sock:mode=660", UNIXAddress("/run/web.sock", mode=0o660)),
            ("unix:address=/run/web.sock:mode=600", UNIXAddress("/run/web.sock")),
            ("systemd:domain=INET:name=web.socket", InheritedAddress("web.socket")),
            ("systemd:name=web", InheritedAddress("web")),
            ("systemd:web", InheritedAddress("web")),
            ("unix:/run/web.sock", UNIXAddress("/run/web.sock")),
        ):
            self.assertEqual(parseListenAddress(text), address, text)

    def test_clients(self) -> None:
        """
        The description of a client endpoint for TCP is the address of a host.
        C{tcp:80} is a host of that name.
        """
        for text, address in (
            ("tcp:web.example:80", TCPAddress("web.example", 80)),
            ("tcp:host=web.example:port=80", TCPAddress("web.example", 80)),
            ("tcp:host=web.example:80", TCPAddress("web.example", 80)),
            ("tcp:\\:\\:1:80", TCPAddress("::1", 80)),
            ("tcp:80", TCPAddress("tcp", 80)),
        ):
            self.assertEqual(parseHostAddress(text), address, text)

    def test_models(self) -> None:
        """
        They stand wherever an address may.
        """
        service = ProxyService(
            "web", ["tcp:8080:interface=127.0.0.1"], [ProxyGroup("main", enabled=True)]
        )
        self.assertEqual(service.addresses, (TCPAddress("127.0.0.1", 8080),))
        self.assertEqual(ProxyHost.at("h", "tcp:a.example:81").ipOrHost, "a.example")
        mapper = HostMapper(proxy="tcp:80:interface=\\:\\:1", host="h", address="tcp:a.example:81")
        [service] = convertMapperToModel([mapper])
        self.assertEqual(service.addresses, (TCPAddress("::1", 80),))
        self.assertEqual(service.groups[0].hosts[0].address, TCPAddress("a.example", 81))

    def test_wrong(self) -> None:
        """
        An error names the text and the remedy.
        """
        listen: Callable[[object], object] = parseListenAddress
        host: Callable[[object], object] = parseHostAddress
        for parse, text, message in (
            (listen, "tcp:http", "'http' in 'tcp:http' is no port"),
            (listen, "tcp:70000", "port 70000 in 'tcp:70000' does not exist"),
            (listen, "tcp:80:backlog=5", "option 'backlog' in 'tcp:80:backlog=5' can't be used"),
            (listen, "tcp:80:x=5", "there are port, interface"),
            (listen, "tcp:80:interface=-a", "is no IP address or host name"),
            (listen, "unix:/s:mode=9", "mode=9 in 'unix:/s:mode=9' is no mode"),
            (listen, "unix:/s:mode=7777", "mode"),
            (listen, "unix:/s:lockfile=0", "option 'lockfile' in 'unix:/s:lockfile=0'"),
            (listen, "systemd:domain=INET:index=0", "option 'index'"),
            (listen, "systemd:domain=INET", "has no name=: the FileDescriptorName="),
            (host, "tcp:web:http", "'http' in 'tcp:web:http' is no port"),
            (host, "tcp:web.example:80:timeout=3", "the service has connectTimeout"),
            (host, "tcp:web.example:0", "port 0"),
            (host, "unix:/s:timeout=3", "as in 'unix:/s'"),
        ):
            error = self.assertRaises(AddressError, parse, text)
            self.assertIn(message, str(error), text)
