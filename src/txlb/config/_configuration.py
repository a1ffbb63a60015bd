"""
A configuration file, read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from txlb.config import _schema as schema
from txlb.config._admin import SettingsBuilder
from txlb.config._adminsettings import AdminSettings
from txlb.config._build import ServiceBuilder
from txlb.config._difference import settingsBetween
from txlb.config._document import parseTree, readFile
from txlb.config._eventssettings import EventsSettings
from txlb.config._loggingsettings import LoggingSettings
from txlb.config._managersettings import ManagerSettings
from txlb.config._nodes import Node, checkTree
from txlb.config._problems import Problems
from txlb.config._render import render
from txlb.config._save import writeFile
from txlb.config._source import decoded
from txlb.errors import ConfigurationError, Problem, UnknownName
from txlb.model import Cluster, Plan, ProxyService, changesBetween, ownedByPeople
from txlb.model.looks import boundedLooks


@dataclass(frozen=True, slots=True, eq=False)
class Configuration:
    """
    The content of a configuration file. It can't be changed; L{render} makes the file for
    other services out of it.

    @ivar path: the file's absolute path.
    @ivar services: in the order of the file.
    @ivar admin: the ways to administer the balancer, and its users.
    @ivar manager: what the balancer does by itself.
    @ivar control: the absolute path of the control socket; L{None} for none.
    @ivar logging: the log file; L{None} for twistd's own.
    @ivar events: the place to which events are published; L{None} for none.
    @ivar cluster: the cluster that the balancer is a member of; L{None} for none.
    @ivar notes: remarks on what is right and has no effect or may be meant otherwise, in the
        order of the file: the first 50, and how many more there are.
    @ivar root: the outermost element, for those that show the file.
    """

    path: str
    services: tuple[ProxyService, ...]
    admin: AdminSettings
    manager: ManagerSettings
    control: str | None
    logging: LoggingSettings | None
    events: EventsSettings | None
    cluster: Cluster | None
    notes: tuple[Problem, ...]
    root: Node
    _source: bytes

    def __repr__(self) -> str:
        names = ", ".join(service.name for service in self.services)
        return f"<Configuration {self.path}: {names}>"

    def lineOf(self, serviceName: str, index: int | None = None) -> int:
        """
        Find the line of a service, or of one of its listeners.

        @param index: which of the service's listeners, from 0.
        @return: the line, from 1; that of the service if it has no such listener.
        @raise UnknownName: the file has no such service.
        """
        nodes = {node.get("name"): node for node in self.root.all(schema.SERVICE)}
        if serviceName not in nodes:
            raise UnknownName("service", serviceName, nodes)
        service = nodes[serviceName]
        listeners = service.all(schema.LISTEN)
        if index is None or not 0 <= index < len(listeners):
            return service.line
        return listeners[index].line

    @property
    def sshLine(self) -> int:
        """
        The line of the ssh element; 0 if there is none.
        """
        admin = self.root.first(schema.ADMIN)
        ssh = None if admin is None else admin.first(schema.SSH)
        return 0 if ssh is None else ssh.line

    @property
    def webLine(self) -> int:
        """
        The line of the web element; 0 if there is none.
        """
        admin = self.root.first(schema.ADMIN)
        web = None if admin is None else admin.first(schema.WEB)
        return 0 if web is None else web.line

    @property
    def controlLine(self) -> int:
        """
        The line of the control element; 0 if there is none.
        """
        control = self.root.first(schema.CONTROL)
        return 0 if control is None else control.line

    def changes(self, services: Iterable[ProxyService]) -> list[str]:
        """
        Compare the file's services with other ones, without the hosts that sources have
        found.

        @return: a line for each difference; nothing if they are equal.
        """
        return changesBetween(self.services, ownedByPeople(services)).lines

    def planTo(self, other: Configuration) -> Plan:
        """
        Compare this file with another one: the services, then everything else.
        """
        services = changesBetween(self.services, other.services).changes
        return Plan((*services, *settingsBetween(self, other)))

    def tostring(self) -> bytes:
        """
        Return the document as it was read.
        """
        return self._source

    def render(self, services: Iterable[ProxyService]) -> bytes:
        """
        Write the document for other services. What says something else is edited, and the
        rest stays as it is, to the last byte.

        @raise ConfigurationError: a file can't say this, such as port 0, or the file can't
            be edited because of its encoding.
        """
        return self.edited(services).tostring()

    def edited(self, services: Iterable[ProxyService]) -> Configuration:
        """
        Make the configuration for other services, as L{render} writes it.

        @raise ConfigurationError: a file can't say this, such as port 0.
        """
        # The hosts that sources have found are theirs, and they find them again.
        wanted = ownedByPeople(services)
        if wanted == self.services:
            return self
        data = render(self._source, self.root, self.path, wanted)
        # Nothing is saved that can't be loaded again, or that says something else.
        found = parseConfiguration(data, self.path, files=False)
        if found.services != wanted:
            line = changesBetween(wanted, found.services).lines[0]
            raise ConfigurationError([Problem(self.path, 0, f"a file can't say this: {line}")])
        return found

    def save(self, path: str) -> None:
        """
        Write the document to a file, as a whole or not at all.

        @raise ConfigurationError: it can't be written.
        """
        writeFile(path, self.tostring())


def loadConfiguration(path: str) -> Configuration:
    """
    Read a configuration file.

    @raise ConfigurationError: it can't be read, or something in it is wrong; see
        L{parseConfiguration}.
    """
    return parseConfiguration(readFile(path), path)


def parseConfiguration(data: bytes, name: str, *, files: bool = True) -> Configuration:
    """
    Read a configuration.

    @param name: the file's name, for messages; relative paths in it begin at
        the folder of this file, which need not exist.
    @param files: whether to look into the files that the services name, such as certificates.
    @raise ConfigurationError: something in it is wrong. It has the first 50 problems, and
        the number of the others.
    """
    problems, notes = Problems(name), Problems(name)
    path = os.path.abspath(name)
    reports = problems.report, notes.report
    with boundedLooks():
        root = checkTree(parseTree(data, name), name, *reports)
        _noteEncoding(data, root, notes)
        folder = os.path.dirname(path)
        services = ServiceBuilder(folder, *reports, files=files).build(root)
        settings = SettingsBuilder(folder, *reports, files=files).build(root)
    problems.check()
    return Configuration(
        path,
        tuple(services),
        settings.admin,
        settings.manager,
        settings.control,
        settings.logging,
        settings.events,
        settings.cluster,
        tuple(notes.all()),
        root,
        data,
    )


def _noteEncoding(data: bytes, root: Node, notes: Problems) -> None:
    try:
        decoded(data, root.element.getroottree().docinfo.encoding)
    except ValueError as error:
        notes.report(1, f"what is changed live can't be saved to this file: {error}")
