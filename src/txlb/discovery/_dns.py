"""
The source C{dns}: hosts from service records, or from the addresses of a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as LateError
from twisted.logger import Logger
from twisted.names.client import Resolver
from twisted.names.error import DNSNameError, DNSQueryRefusedError, DNSServerError, DomainError
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.deadlines import Retry
from txlb.discovery._dnsanswer import Answer, addressesOf, hostPort, hostsOf, isIPAddress, targetsOf
from txlb.discovery._foundhost import FoundHost
from txlb.discovery._sourcekind import SourceKind, SourceTools
from txlb.errors import ModelError
from txlb.interfaces import IFindings, IHostSource
from txlb.model import TCPAddress, parseHostAddress
from txlb.model.kinds import Seconds, Text, Whole
from txlb.model.options import Option

#: Seconds for the tries of one query, one after the other.
TIMEOUTS = (1, 2, 4)

#: The file that names the servers of the system.
RESOLV_CONF = "/etc/resolv.conf"

#: Names whose addresses are asked for in one answer at most, beside those that came with it.
MAX_NAMES = 1000

_log = Logger()


class NoAnswer(Exception):
    """
    A query that has no answer, with the reason.
    """


@implementer(IHostSource)
class DNSSource:
    """
    The hosts of one group from DNS. If the name begins with an underscore its service records
    (SRV, RFC 2782) are the hosts; otherwise each address of the name is one, with C{port}.

    A name that exists and has no records is an answer without hosts. A name that does not exist,
    a refusal, and a server that fails or is silent are failures: the last hosts stay.

    It asks again when the shortest lifetime of the records is over, within bounds.

    @param options: the values of all options.
    @param tools: the objects that sources are made with.
    @raise ModelError: the options don't go together.
    """

    def __init__(self, options: Mapping[str, Any], tools: SourceTools) -> None:
        self._name: str = options["name"].rstrip(".")
        self._port: int | None = options["port"]
        self._isService = self._name.startswith("_")
        self.origin = f"dns:{self._name}"[:255]
        if self._isService and self._port is not None:
            raise ModelError(
                f"port of the dns source is {self._port}, but {self._name} names service records, "
                "which say their ports; leave it out"
            )
        if not self._isService and self._port is None:
            raise ModelError(
                f"port of the dns source is missing: {self._name} names addresses, which have no "
                "ports; write it, or a name of service records such as _web._tcp.example.org"
            )
        self._least: float = options["minInterval"]
        self._most: float = options["maxInterval"]
        if self._least > self._most:
            raise ModelError(
                f"minInterval of the dns source is {self._least:g}, above its maxInterval of "
                f"{self._most:g}"
            )
        self._servers = _serversOf(options["server"])
        self._reactor = tools.reactor
        self._retry = Retry(tools.deadlines, self._ask)
        self._resolver: Any = None
        self._findings: IFindings | None = None
        self._asking: Deferred[None] | None = None

    def start(self, findings: IFindings) -> None:
        """
        Ask, and again and again.
        """
        self._findings = findings
        self._resolver = self._makeResolver()
        self._ask()

    def _makeResolver(self) -> Any:
        if self._servers is not None:
            return Resolver(servers=[self._servers], timeout=TIMEOUTS, reactor=self._reactor)
        return Resolver(resolv=RESOLV_CONF, timeout=TIMEOUTS, reactor=self._reactor)

    def stop(self) -> None:
        """
        Ask no more.
        """
        self._findings = None
        self._retry.stop()
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    def _ask(self) -> None:
        asking = self._asking = Deferred.fromCoroutine(self._query())
        asking.addErrback(self._wentWrong)

    def _wentWrong(self, reason: Failure) -> None:
        if not reason.check(CancelledError):
            _log.failure("{source} could not ask", reason, source=self.origin)
            self._retry.later()

    async def _query(self) -> None:
        try:
            query = self._service if self._isService else self._addresses
            hosts, wrong, lifetime = await query()
        except NoAnswer as error:
            if self._findings is not None:
                self._retry.later()
                self._findings.failed(str(error))
            return
        if self._findings is not None:
            self._retry.again(lifetime)
            self._findings.found(hosts, wrong)

    async def _service(self) -> tuple[list[FoundHost], list[str], float]:
        """
        Ask for the service records.
        """
        answer = await self._lookUp(self._resolver.lookupService, self._name)
        targets = targetsOf(answer.records)
        addresses = addressesOf([*answer.records, *answer.additional])
        missing = dict.fromkeys(each.name for each in targets if each.name not in addresses)
        for name in list(missing)[:MAX_NAMES]:
            try:
                found = await self._addressRecords(name)
            except NoName:
                continue
            addresses.update({name: addressesOf(found.records).get(name, [])})
            answer = answer.joined(found)
        hosts, wrong = hostsOf(targets, addresses)
        return hosts, wrong, answer.lifetime(self._least, self._most)

    async def _addresses(self) -> tuple[list[FoundHost], list[str], float]:
        """
        Ask for the addresses of the name.
        """
        answer = await self._addressRecords(self._name)
        texts = addressesOf(answer.records).get(self._name.lower(), [])
        port = self._port or 0
        hosts = [FoundHost(hostPort(each, port), hostPort(each, port)) for each in texts]
        return hosts, [], answer.lifetime(self._least, self._most)

    async def _addressRecords(self, name: str) -> Answer:
        """
        Ask for the IPv4 and IPv6 addresses of a name.

        @raise NoAnswer: one of the two has no answer.
        """
        resolver = self._resolver
        four = await self._lookUp(resolver.lookupAddress, name)
        return four.joined(await self._lookUp(resolver.lookupIPV6Address, name))

    async def _lookUp(self, ask: Any, name: str) -> Answer:
        """
        Ask one query.

        @raise NoName: there is no such name.
        @raise NoAnswer: there is no answer.
        """
        try:
            answers, authority, more = await ask(name, TIMEOUTS)
        except DNSNameError:
            raise NoName(f"there is no name {name}") from None
        except DNSQueryRefusedError:
            raise NoAnswer(f"the server refuses to answer for {name}") from None
        except DNSServerError:
            raise NoAnswer(f"the server failed to answer for {name}") from None
        except DomainError as error:
            raise NoAnswer(f"no answer for {name}: {type(error).__name__}") from None
        except (LateError, TimeoutError):
            raise NoAnswer(f"no answer for {name} in time") from None
        except OSError as error:
            raise NoAnswer(f"no answer for {name}: {error.strerror or error}") from None
        return Answer(answers, authority, more)


class NoName(NoAnswer):
    """
    A name that does not exist.
    """


def _serversOf(server: str | None) -> tuple[str, int] | None:
    """
    @raise ModelError: it is no IP address with a port.
    """
    if server is None:
        return None
    address = parseHostAddress(server)
    if not isinstance(address, TCPAddress) or not isIPAddress(address.host):
        raise ModelError(f"server of the dns source is {server!r}; it is an IP address and a port")
    return address.host, address.port


DNS = SourceKind(
    "dns",
    "The hosts of the group are in DNS: the service records (SRV) of a name such as "
    "``_web._tcp.example.org``, with their ports, priorities and weights, or the addresses of any "
    "other name. The balancer asks again when the lifetime of the records is over.",
    DNSSource,
    (
        Option(
            "name",
            Text(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9.])?", "a domain name"),
            "The name to ask for. With an underscore at its beginning it names service records.",
            required=True,
        ),
        Option(
            "port",
            Whole(1, 65535),
            "The port of the hosts, if the name has addresses and no service records.",
        ),
        Option(
            "server",
            Text(r"\S+", "an IP address and a port, such as 127.0.0.1:53"),
            "The DNS server to ask.",
            defaultDoc="those of the system, in ``/etc/resolv.conf``",
        ),
        Option(
            "minInterval",
            Seconds(0.5, 3600),
            "How long an answer is used at least, also if its lifetime is shorter.",
            1.0,
        ),
        Option(
            "maxInterval",
            Seconds(1, 86400),
            "How long an answer is used at most, also if its lifetime is longer.",
            300.0,
        ),
    ),
)
