"""
C{twistd txlb-agent}: an agent on its own, which can announce its host as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from txlb.clients import TLSPolicy
from txlb.discovery import AnnounceService, StompAnnounceService
from txlb.discovery._announce import PREFIX, TTL
from txlb.discovery._announcement import DRAIN_TIME
from txlb.discovery._etcd import MEMBERS
from txlb.discovery._foundhost import MAX_PRIORITY
from txlb.discovery._optionfiles import CERTIFICATES, credentialsIn, readFiles
from txlb.discovery._renewalservice import RenewalService
from txlb.errors import ModelError, TxlbError
from txlb.model import MAX_WEIGHT, ProxyHost, UNIXAddress, checkName
from txlb.model.kinds import (
    BROKERS,
    DESTINATION,
    UNITS_SHOWN,
    VIRTUAL_HOST,
    Path,
    Text,
    Whole,
    secondsOf,
)
from txlb.process import TwistdFiles
from txlb.resources import AgentService
from txlb.resources._service import DEFAULT_LISTEN

__all__ = ["Options", "makeService"]

#: Reads the text of an option. It is called with the text and with the option's name for messages,
#: and raises L{ModelError}.
Read = Callable[[str, str], Any]


def _readAddress(text: str, _: str) -> str:
    return str(ProxyHost.at("host", text).address)


def _readMembers(text: str, what: str) -> str:
    kind = BROKERS if text.lstrip().startswith("stomp") else MEMBERS
    if not kind.parse(text, what):
        raise ModelError(f"{what} is empty; it is {MEMBERS.describe()}")
    return text


#: The options of an announcement beside C{--metadata}: the argument of L{AnnounceService} or of a
#: file for it, how its text is read, and its description.
ANNOUNCING: tuple[tuple[str, Read, str], ...] = (
    (
        "announce",
        _readMembers,
        "Announce the host: the URLs of etcd's members, or of brokers, stomp://HOST:PORT.",
    ),
    ("service", lambda text, _: checkName("service", text), "The balancer's service."),
    ("group", lambda text, _: checkName("group", text), "The group of the service."),
    ("address", _readAddress, "The address at which balancers reach the host."),
    ("name", lambda text, _: checkName("host", text), "The name of the host, not its address."),
    ("weight", Whole(0, MAX_WEIGHT).parse, "Its weight."),
    ("priority", Whole(0, MAX_PRIORITY).parse, "Hosts with the lowest number get the clients."),
    ("prefix", PREFIX.parse, "What the key of etcd begins with, in place of txlb."),
    ("destination", DESTINATION.parse, "The topic of the broker, in place of /topic/txlb.hosts."),
    ("virtualHost", VIRTUAL_HOST.parse, "The virtual host of the broker."),
    ("ttl", TTL.parse, "The time after which the host is gone without the agent."),
    ("drainTime", DRAIN_TIME.parse, "The time from drain to the end of the announcement."),
    ("user", Text(r"[!-~]+", "a name").parse, "The user of etcd or of the broker."),
    ("passwordFile", Path().parse, "The file with the user's password, in one line."),
    ("ca", Path().parse, "The file with the certificates that theirs are signed by."),
    ("clientCertificate", Path().parse, "The file with a certificate and its key for them."),
)

#: Those that have to be there for C{--announce}.
NEEDED = ("service", "group", "address")

#: Those that are of use with etcd alone, and with a broker alone.
OF_ETCD = ("prefix",)
OF_BROKERS = ("destination", "virtualHost")

#: Those that are files.
FILES = ("passwordFile", *CERTIFICATES)


def optionOf(argument: str) -> str:
    """
    Return the option of an argument: C{--drain-time} for C{drainTime}.
    """
    return "--" + "".join(f"-{each.lower()}" if each.isupper() else each for each in argument)


class Options(BaseOptions):
    """
    The options of C{twistd txlb-agent}.

    @ivar announcing: the arguments of the announcement, by their names; empty for none.
    """

    synopsis = "[options]"
    longdesc = (
        "Reports to load balancers what this machine has left, from 0 % to 100 %, in HAProxy's "
        "agent-check protocol: one line on each connection. With --announce it announces a host "
        "of this machine as well, with its load, in etcd or through a broker of STOMP. To stay "
        "in the foreground, use twistd -n txlb-agent."
    )
    optParameters = (
        (
            "listen",
            "l",
            DEFAULT_LISTEN,
            "The address to listen on: host:port, *:9999 for every interface, or unix:/path.",
        ),
        ("interval", "i", "1", "The time from one measurement to the next, 0.1 to 60 seconds."),
        *((optionOf(name)[2:], None, None, doc) for name, _, doc in ANNOUNCING),
    )
    compData = None

    def __init__(self) -> None:
        super().__init__()
        self.announcing: dict[str, Any] = {}
        self._metadata: dict[str, str] = {}

    def opt_metadata(self, text: str) -> None:
        """
        Add a text about the host for people, NAME=VALUE. It may be given again.
        """
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--metadata is {text!r}; it is NAME=VALUE, as in zone=a")
        self._metadata[name] = value

    def parseArgs(self, *words: str) -> None:
        """
        Refuse arguments, as there are none beside the options.
        """
        if words:
            raise UsageError(f"{words[0]!r} is no option; where to listen follows -l")

    def postOptions(self) -> None:
        """
        Read the values.
        """
        interval = secondsOf(self["interval"])
        if interval is None:
            raise UsageError(
                f"{self['interval']!r} is no time; give a number of seconds, or one with a unit, "
                f"as in {UNITS_SHOWN}"
            )
        self["interval"] = interval
        self.announcing = given = {
            name: self._read(name, read)
            for name, read, _ in ANNOUNCING
            if self[optionOf(name)[2:]] is not None
        }
        if self._metadata:
            given["metadata"] = self._metadata
        if given and "announce" not in given:
            raise UsageError(f"{optionOf(next(iter(given)))} is of use only with --announce")
        for name in NEEDED if given else ():
            if name not in given:
                raise UsageError(f"--announce needs {optionOf(name)} as well")
        if given:
            self._checkPlace(given)
        if "passwordFile" in given and "user" not in given:
            raise UsageError("--password-file needs --user as well")

    def _checkPlace(self, given: Mapping[str, Any]) -> None:
        """
        @raise UsageError: an option is of no use with the place of the announcement.
        """
        place, others = ("a broker", OF_ETCD) if isBroker(given) else ("etcd", OF_BROKERS)
        for name in others:
            if name in given:
                raise UsageError(f"{optionOf(name)} is of no use with {place}")

    def _read(self, name: str, read: Read) -> Any:
        """
        Read the value of an option.

        @raise UsageError: it is wrong. The message names the option.
        """
        option = optionOf(name)
        try:
            return read(self[option[2:]], option)
        except ModelError as error:
            told = str(error)
            raise UsageError(told if told.startswith(option) else f"{option}: {told}") from None


def isBroker(given: Mapping[str, Any]) -> bool:
    """
    Return whether a host is announced through a broker.
    """
    return str(given["announce"]).lstrip().startswith("stomp")


def announcement(given: Mapping[str, Any], agent: AgentService) -> tuple[Service, ...]:
    """
    Make the announcement of a host, and what follows its files if there are some.

    @param given: see L{Options.announcing}.
    @param agent: has its load.
    @raise TxlbError: a file can't be used, or the arguments don't go together.
    """
    settings = dict(given)
    named = {name: settings.pop(name, None) for name in FILES}, os.getcwd(), optionOf
    files = readFiles(*named)
    made = StompAnnounceService if isBroker(given) else AnnounceService
    service = made(settings.pop("announce"), report=agent.reply, **settings, **_credentials(files))
    if not files:
        return (service,)

    def changed(found: Mapping[str, bytes]) -> None:
        service.replaceCredentials(**_credentials(found))

    return service, RenewalService("the announcement", files, partial(readFiles, *named), changed)


def _credentials(files: Mapping[str, bytes]) -> dict[str, Any]:
    """
    Make arguments of an announcement.

    @raise ModelError: a certificate can't be used.
    """
    for name in CERTIFICATES:
        if name in files:
            try:
                TLSPolicy(**{name: files[name]})
            except ModelError as error:
                raise ModelError(f"{optionOf(name)}: {error}") from None
    return credentialsIn(files)


def makeService(options: Options) -> IService:
    """
    Make the agent, and listen, so that errors appear on the terminal. The files that twistd's
    own options name are opened here too, see L{txlb.process.TwistdFiles}.

    @raise SystemExit: the agent can't start. The reason is written to stderr, or to the log if
        stderr is closed.
    """
    files = TwistdFiles(getattr(options, "parent", None))
    announced: tuple[Service, ...] = ()
    try:
        files.open()
        agent = AgentService(options["listen"], interval=options["interval"])
        if options.announcing:
            announced = announcement(options.announcing, agent)
        if isinstance(agent.address, UNIXAddress):
            with files.owner.rights(agent.address.path):
                agent.bind()
            files.owner.give(agent.address.path)
        else:
            agent.bind()
    except TxlbError as error:
        files.refuse(str(error))
        raise SystemExit(1) from None
    if not announced:
        return files.serve(agent)
    services = MultiService()
    for each in (agent, *announced):
        each.setServiceParent(services)
    return files.serve(services)
