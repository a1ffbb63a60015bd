"""
Configuration files for tests: the real ones of old, and random ones.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from lxml import etree

import txlb.application  # noqa: F401 - so that files can ask for every kind of check
from txlb import schedulers
from txlb.model import (
    PRIVATE,
    Address,
    Discovery,
    HealthCheck,
    ListenAddress,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
    TCPAddress,
    UNIXAddress,
    placeOf,
)

#: A file as txLoadBalancer 1.1.0's own documentation describes them, with every
#: element and attribute that there was.
SAMPLE_1_1_0 = b"""\
<config>
  <service name="proxy1">
    <listen ip="127.0.0.1:8080"/>
    <listen ip="127.0.0.1:8081"/>
    <group name="prod" scheduler="weightr" enable="true">
      <host name="host1" ip="127.0.0.1:7001" weight="1"/>
      <host name="host2" ip="lorien:1901" weight="3"/>
    </group>
    <group name="test" scheduler="leastc">
      <host name="host1" ip="127.0.0.1:7003"/>
    </group>
  </service>
  <service name="proxy2">
    <listen ip="*:8090"/>
    <group name="prod" scheduler="rand" enable="YES">
      <host name="host1" ip="127.0.0.1:7001"/>
    </group>
    <note>Remarks <b>stood</b> in elements like this.</note>
  </service>
  <!-- who may look -->
  <admin>
    <web listen="*:7000" enable="true" secure="false" refresh="10"/>
    <ssh listen="localhost:2222" enable="true"/>
    <user name="admin" password="..xpoEyRReGzk" access="full"/>
  </admin>
  <manager hostCheckInterval="12">
    <hostCheck interval="500" enable="true"/>
    <configCheck interval="10" enable="false"/>
    <heartbeat interval="20" enable="false"/>
  </manager>
  <control socket="/var/run/balancer.sock"/>
  <logging file="balancer.log"/>
</config>
"""

#: As version 1.1.0 wrote a file back, with what it made of missing attributes.
SAVED_BY_1_1_0 = b"""\
<config>
  <service name="web">
    <listen ip="127.0.0.1:8080" />
    <group name="prod" scheduler="leastc" enable="True">
      <host name="host1" ip="127.0.0.1:7001" weight="1" />
    </group>
    <group name="test" scheduler="roundr" enable="False">
      <host name="host1" ip="127.0.0.1:7002" weight="1" />
    </group>
  </service>
  <admin>
    <web listen="None" enable="False" secure="False" refresh="True" />
    <ssh listen="2222" enable="False" />
    <user name="admin" password="..xpoEyRReGzk" access="full" />
  </admin>
  <manager>
    <hostCheck interval="120" enable="False" />
    <configCheck interval="30.0" enable="True" />
    <heartbeat interval="60" enable="False" />
  </manager>
  <control socket="None" />
</config>"""

#: As PythonDirector's documentation has them.
PYTHON_DIRECTOR = b"""\
<pdconfig>
  <service name="loadbalanced">
    <listen ip="0.0.0.0:9999"/>
    <group name="one" scheduler="random">
      <host name="host1" ip="127.0.0.1:9000"/>
    </group>
    <group name="two" scheduler="leastconnsrr">
      <host ip="127.0.0.1:9001"/>
      <host name="host.1" ip="127.0.0.1:9002"/>
      <host ip="127.0.0.1:9003"/>
    </group>
    <enable group="two"/>
  </service>
  <admin listen="127.0.0.1:7001">
    <user name="admin" password="..xpoEyRReGzk" access="full"/>
  </admin>
</pdconfig>
"""

#: The smallest file that is right.
SMALL = b"""\
<config>
  <service name="web">
    <listen ip="127.0.0.1:8080"/>
    <group name="prod" enable="true">
      <host name="h1" ip="127.0.0.1:7001"/>
      <host name="h2" ip="127.0.0.1:7002"/>
    </group>
  </service>
</config>
"""

#: Hashes that are hashes of nothing anybody uses.
ARGON2ID = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaA"
CRYPT = "..xpoEyRReGzk"


def c14n(data: bytes) -> bytes:
    """
    The canonical form of a document, with its comments.
    """
    root: etree._Element = etree.fromstring(data)
    return etree.tostring(root.getroottree(), method="c14n", with_comments=True)


# Random services. Names come from few, so that two drawn one after the other
# have much in common.

NAMES = ("web", "h1", "host.1", "host.2", "ö", "a & <b> \"c\" 'd'", "x" * 255)

NETWORKS = ("all", "unix", "10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "::1", "0.0.0.0/0")

_ports = st.integers(1, 40)
hostAddresses: st.SearchStrategy[Address] = st.one_of(
    st.builds(TCPAddress, st.sampled_from(["127.0.0.1", "::1", "backend.example"]), _ports),
    st.builds(UNIXAddress, st.sampled_from(["/run/a.sock", "relative", '/run/<&">.sock'])),
)
_listenTCP = st.builds(TCPAddress, st.sampled_from(["127.0.0.1", "::1", "", "localhost"]), _ports)
_listenPaths = st.sampled_from(["/run/l.sock", "l"])
listenPlaces: st.SearchStrategy[Address] = st.one_of(
    _listenTCP, st.builds(UNIXAddress, _listenPaths)
)
listenAddresses: st.SearchStrategy[Address] = st.one_of(
    _listenTCP,
    st.builds(
        UNIXAddress,
        _listenPaths,
        mode=st.sampled_from([0o600, 0o660, 0, 0o777]),
        user=st.sampled_from([None, "root", "1000"]),
        group=st.sampled_from([None, "root", "1000"]),
    ),
)


def _seconds(least: float, most: float) -> st.SearchStrategy[float]:
    return st.one_of(
        st.sampled_from([least, most]), st.floats(least, most), st.integers(1, 100).map(float)
    )


#: With everything that a check has in common with others, and some of its own.
_checks: st.SearchStrategy[HealthCheck | None] = st.one_of(
    st.none(),
    st.none(),
    st.builds(
        HealthCheck,
        st.sampled_from(["tcp", "http", "agent", "tls"]),
        st.sampled_from([2.0, 0.25, 7 * 86400.0]),
        timeout=st.sampled_from([None, 0.125]),
        rise=st.sampled_from([2, 1, 100]),
        fall=st.sampled_from([3, 1, 100]),
        fastInterval=st.sampled_from([None, 0.01, 1.0]),
        downInterval=st.sampled_from([None, 30.0]),
        port=st.sampled_from([None, 1, 65535]),
        onlyDown=st.booleans(),
    ),
    st.builds(
        HealthCheck,
        st.just("http"),
        options=st.fixed_dictionaries(
            {},
            optional={
                "path": st.sampled_from(["/health", "/?<&>"]),
                "status": st.sampled_from(["200", "200-299,301"]),
                "contains": st.sampled_from(["fine", 'a "b" \\r\\n<c>']),
                "tls": st.just(True),
                "verify": st.just(False),
            },
        ),
    ),
)


_discoveries: st.SearchStrategy[Discovery | None] = st.one_of(
    st.none(),
    st.none(),
    st.builds(
        Discovery,
        st.just("file"),
        maxRemove=st.sampled_from([0.5, 0.0, 1.0]),
        options=st.sampled_from([{"path": "hosts"}, {"path": "a b", "interval": 3.0}]),
    ),
)


_resources: st.SearchStrategy[ResourceProbe | None] = st.one_of(
    st.none(),
    st.none(),
    st.builds(
        ResourceProbe,
        st.sampled_from(["agent", "http"]),
        st.sampled_from([2.0, 0.1, 86400.0]),
        timeout=st.sampled_from([None, 0.0625]),
        smoothing=st.sampled_from([0.3, 0.001, 1.0]),
        port=st.sampled_from([None, 1, 65535]),
    ),
    st.builds(
        ResourceProbe,
        st.just("http"),
        options=st.fixed_dictionaries(
            {},
            optional={
                "path": st.sampled_from(["/stats", "/?<&>"]),
                "field": st.just("cpu.idle"),
                "means": st.just("load"),
                "full": st.sampled_from([100.0, 0.5]),
            },
        ),
    ),
)


@st.composite
def _hosts(draw: st.DrawFn, name: str) -> ProxyHost:
    return ProxyHost.at(
        name,
        draw(hostAddresses),
        draw(st.one_of(st.just(1), st.integers(0, 65535))),
        draw(st.one_of(st.none(), st.integers(1, 10**9))),
        state=draw(st.sampled_from(["ready", "ready", "drain", "maintenance"])),
        backup=draw(st.booleans()),
        check=draw(_checks),
    )


#: Of most groups nothing is said.
_groupSettings: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "initialState": st.sampled_from(["up", "check"]),
        "expectAnswer": st.booleans(),
        "answerFall": st.integers(1, 1000),
        "flapHold": _seconds(0.0, 3600.0),
        "whenDown": st.sampled_from(["keep", "close"]),
        "maxQueue": st.integers(0, 1_000_000),
        "queueTimeout": _seconds(0.01, 3600.0),
        "maxPending": st.integers(0, 1_000_000),
        "backup": st.booleans(),
        "minimumUp": st.integers(1, 10_000),
        "holdDown": _seconds(0.0, 86400.0),
        "slowStart": _seconds(0.0, 3600.0),
    },
)


@st.composite
def _groups(draw: st.DrawFn, name: str, enabled: bool) -> ProxyGroup:
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    return ProxyGroup(
        name,
        draw(st.sampled_from(schedulers.schedulerWords())),
        enabled,
        [draw(_hosts(host)) for host in names],
        passiveFall=draw(st.sampled_from([1, 2, 100])),
        whenAllDown=draw(st.sampled_from(["try", "close"])),
        sendProxy=draw(st.sampled_from([None, "v1", "v2"])),
        check=draw(_checks),
        resource=draw(_resources),
        discover=draw(_discoveries),
        **draw(_groupSettings),
        boundedLoad=draw(st.sampled_from([0.0, 1.05, 1.25, 100.0])),
        choices=draw(st.sampled_from([2, 16])),
        decay=draw(st.sampled_from([0.1, 10.0, 3600.0])),
    )


@st.composite
def _services(draw: st.DrawFn, name: str, addresses: Sequence[Address]) -> ProxyService:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    enabled = draw(st.sampled_from(names))
    networks = draw(st.lists(st.sampled_from(NETWORKS), max_size=5, unique=True))
    return ProxyService(
        name,
        addresses,
        [draw(_groups(group, group == enabled)) for group in names],
        maxConnections=draw(st.sampled_from([1, 10_000, 1_000_000])),
        connectTimeout=draw(_seconds(0.01, 3600.0)),
        dialTimeout=draw(_seconds(0.01, 3600.0)),
        retries=draw(st.integers(0, 100)),
        idleTimeout=draw(_seconds(0.0, 604800.0)),
        finTimeout=draw(_seconds(0.0, 604800.0)),
        resolveInterval=draw(_seconds(1.0, 86400.0)),
        relay=draw(st.sampled_from(["auto", "portable"])),
        allow=networks[: len(networks) // 2],
        deny=networks[len(networks) // 2 :],
        maxConnectionsPerClient=draw(st.sampled_from([None, 1, 1_000_000])),
        ratePerClient=draw(st.sampled_from([None, 0.001, 1e6])),
        burstPerClient=draw(st.sampled_from([None, 1, 1_000_000])),
    )


@st.composite
def serviceLists(draw: st.DrawFn) -> list[ProxyService]:
    """
    Services that a file can say.
    """
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    addresses = draw(
        st.lists(listenAddresses, min_size=len(names), max_size=len(names) + 3, unique_by=placeOf)
    )
    count = len(names)
    return [draw(_services(name, addresses[n::count])) for n, name in enumerate(names)]


class _Writer:
    """
    Writes services as a person might who has a style of their own.
    """

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._step = draw(st.sampled_from(["", "  ", "\t"]))
        lines = ["\n", "\r\n"] if self._step else ["", "\n"]
        self._newline = draw(st.sampled_from(lines))
        self._between = draw(st.sampled_from([" ", "  ", f"{self._newline or ' '} {self._step}"]))
        self._equals = draw(st.sampled_from(["=", "=", " = "]))
        self._quotes = draw(st.sampled_from(['"', "'", "\"'"]))
        self._ends = draw(st.sampled_from(["/>", " />", "></{}>"]))
        self._references = draw(st.booleans())
        self._second = draw(st.sampled_from(["", "s"]))
        self._comments = draw(st.sampled_from([0, 1, 4]))
        self._booleans = draw(st.sampled_from([("true", "false"), ("ON", "Off"), ("1", "0")]))
        self._lines: list[str] = []

    def document(self, services: Sequence[ProxyService]) -> bytes:
        draw = self._draw
        self._comment(0)
        self._put(0, "<config>")
        for service in services:
            self._service(service)
        self._put(0, "</config>")
        self._comment(0)
        encoding = draw(st.sampled_from(["utf-8", "iso-8859-1", "utf-16"]))
        text = self._newline.join(self._lines)
        if encoding != "utf-8" or draw(st.booleans()):
            text = f'<?xml version="1.0" encoding="{encoding}"?>{self._newline}{text}'
        mark = codecs.BOM_UTF8 if encoding == "utf-8" and draw(st.booleans()) else b""
        return mark + text.encode(encoding, "xmlcharrefreplace")

    def _service(self, service: ProxyService) -> None:
        settings = {
            name: str(getattr(service, name)) for name in ("maxConnections", "retries", "relay")
        }
        for name in (
            "connectTimeout", "dialTimeout", "idleTimeout", "finTimeout", "resolveInterval",
        ):  # fmt: skip
            settings[name] = _number(getattr(service, name)) + self._second
        for name in ("maxConnectionsPerClient", "ratePerClient", "burstPerClient"):
            if getattr(service, name) is not None:
                settings[name] = f"{getattr(service, name):.3f}".rstrip("0").rstrip(".")
        self._open(1, "service", {"name": service.name, **settings})
        self._networks("allow", service.allow)
        self._networks("deny", service.deny)
        for address in service.addresses:
            self._comment(2)
            self._put(2, self._tag("listen", self._listener(address), "/"))
        byElement = self._draw(st.booleans())
        for group in service.groups:
            self._group(group, byElement)
        if byElement:
            self._put(2, self._tag("enable", {"group": service.enabledGroup.name}, "/"))
        self._put(1, "</service>")

    def _listener(self, address: ListenAddress) -> dict[str, str]:
        attributes = {"ip": str(address)}
        if isinstance(address, UNIXAddress):
            if address.mode != PRIVATE or self._draw(st.booleans()):
                attributes["mode"] = f"{address.mode:03o}"
            attributes.update(
                (name, value)
                for name, value in (("user", address.user), ("group", address.group))
                if value is not None
            )
        return attributes

    def _networks(self, tag: str, networks: Sequence[str]) -> None:
        for network in networks:
            self._comment(2)
            self._put(2, self._tag(tag, {"network": network}, "/"))

    def _group(self, group: ProxyGroup, byElement: bool) -> None:
        attributes = {
            "name": group.name,
            "scheduler": group.scheduler,
            "passiveFall": str(group.passiveFall),
            "whenAllDown": group.whenAllDown,
        }
        for name in ("boundedLoad", "choices", "decay"):
            if self._draw(st.booleans()) or getattr(group, name) not in {0.0, 2, 10.0}:
                attributes[name] = str(getattr(group, name))
        if group.sendProxy is not None:
            attributes["sendProxy"] = group.sendProxy
        usual = ProxyGroup("usual")
        for name in (
            "initialState", "whenDown", "answerFall", "maxQueue", "maxPending", "minimumUp",
            "expectAnswer", "backup", "flapHold", "queueTimeout", "holdDown", "slowStart",
        ):  # fmt: skip
            value = getattr(group, name)
            if value != getattr(usual, name) or not self._draw(st.integers(0, 3)):
                attributes[name] = self._text(value)
        if not byElement and (group.enabled or self._draw(st.booleans())):
            attributes["enable"] = self._booleans[0 if group.enabled else 1]
        self._open(2, "group", attributes)
        self._check(3, group.check)
        self._resource(3, group.resource)
        self._discovery(3, group.discover)
        for host in group.hosts:
            self._comment(3)
            self._host(host)
        self._put(2, "</group>")

    def _host(self, host: ProxyHost) -> None:
        attributes = {"name": host.name, "ip": str(host.address), "weight": str(host.weight)}
        if host.weight == 1 and self._draw(st.booleans()):
            del attributes["weight"]
        if host.maxConnections is not None:
            attributes["maxConnections"] = str(host.maxConnections)
        if host.state != "ready" or not self._draw(st.integers(0, 3)):
            attributes["state"] = host.state
        if host.backup:
            attributes["backup"] = self._text(True)
        if host.check is not None:
            self._put(3, self._tag("host", attributes))
            self._check(4, host.check)
            self._put(3, "</host>")
        else:
            self._put(3, self._tag("host", attributes, "/"))
        if self._comments and self._newline and self._draw(st.booleans()):
            self._lines[-1] += f" <!-- beside {len(self._lines)} -->"

    def _check(self, depth: int, check: HealthCheck | None) -> None:
        if check is None:
            return
        attributes = {"type": check.kind} if check.kind != "tcp" else {}
        usual = HealthCheck()
        for name in (
            "interval", "timeout", "rise", "fall", "fastInterval", "downInterval", "port",
            "onlyDown",
        ):  # fmt: skip
            value = getattr(check, name)
            if value != getattr(usual, name):
                attributes[name] = self._text(value)
        attributes |= {name: self._text(value) for name, value in check.options.items()}
        self._comment(depth)
        self._put(depth, self._tag("check", attributes, "/"))

    def _resource(self, depth: int, resource: ResourceProbe | None) -> None:
        if resource is None:
            return
        attributes = {"probe": resource.probe} if resource.probe != "agent" else {}
        usual = ResourceProbe()
        for name in ("interval", "timeout", "smoothing", "port"):
            value = getattr(resource, name)
            if value != getattr(usual, name):
                attributes[name] = self._text(value)
        attributes |= {name: self._text(value) for name, value in resource.options.items()}
        self._comment(depth)
        self._put(depth, self._tag("resource", attributes, "/"))

    def _discovery(self, depth: int, discovery: Discovery | None) -> None:
        if discovery is None:
            return
        attributes = {"from": discovery.source}
        if discovery.maxRemove != 0.5:
            attributes["maxRemove"] = self._text(discovery.maxRemove)
        attributes |= {name: self._text(value) for name, value in discovery.options.items()}
        self._comment(depth)
        self._put(depth, self._tag("discover", attributes, "/"))

    def _text(self, value: object) -> str:
        if isinstance(value, bool):
            return self._booleans[0 if value else 1]
        return _number(value) if isinstance(value, float) else str(value)

    def _comment(self, depth: int) -> None:
        if self._draw(st.integers(0, 3)) < self._comments:
            self._put(depth, f"<!-- above {len(self._lines)} -->")

    def _open(self, depth: int, tag: str, attributes: dict[str, str]) -> None:
        self._comment(depth)
        self._put(depth, self._tag(tag, attributes))

    def _put(self, depth: int, text: str) -> None:
        self._lines.append(self._step * depth + text)

    def _tag(self, tag: str, attributes: dict[str, str], end: str = "") -> str:
        texts = [
            f"{name}{self._equals}{self._quoted(text, number)}"
            for number, (name, text) in enumerate(attributes.items())
        ]
        end = self._ends.format(tag) if end else ">"
        return f"<{self._between.join([tag, *texts])}{end}"

    def _quoted(self, text: str, number: int) -> str:
        """
        A value, with the characters that would end it escaped, or with more of them.
        """
        quote = self._quotes[number % len(self._quotes)]
        always = f"&<\n\t\r{quote}"
        letters = [
            f"&#x{ord(letter):X};"
            if letter in always or (self._references and letter in "e1.")
            else letter
            for letter in text
        ]
        return f"{quote}{''.join(letters)}{quote}"


def _number(value: float) -> str:
    return f"{value:.400f}".rstrip("0")


@st.composite
def documents(draw: st.DrawFn) -> tuple[bytes, list[ProxyService]]:
    """
    A file, and the services that it says.
    """
    services = draw(serviceLists())
    return _Writer(draw).document(services), services
