"""
From nodes to settings: administration, the balancer's own tasks, the log.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from txlb.config import _schema as schema
from txlb.config._adminsettings import AdminSettings
from txlb.config._admintoken import AdminToken
from txlb.config._adminuser import AdminUser
from txlb.config._build import checkUnique
from txlb.config._configchecksettings import ConfigCheckSettings
from txlb.config._element import Element
from txlb.config._eventssettings import EventsSettings
from txlb.config._loggingsettings import LoggingSettings
from txlb.config._managersettings import ManagerSettings
from txlb.config._nodes import Node
from txlb.config._passwordhash import isCurrentHash
from txlb.config._problems import Report
from txlb.config._sources import SourcesBuilder, sourceNodes
from txlb.config._sshsettings import SSHSettings
from txlb.config._timersettings import TimerSettings
from txlb.config._tls import TLSBuilder
from txlb.config._websettings import WebSettings, isLocal
from txlb.errors import ModelError
from txlb.model import Cluster, InheritedAddress


@dataclass(frozen=True, slots=True)
class Settings:
    """
    The settings of a file, without its services.
    """

    admin: AdminSettings
    manager: ManagerSettings
    control: str | None
    logging: LoggingSettings | None
    events: EventsSettings | None
    cluster: Cluster | None


class SettingsBuilder:
    """
    Makes the settings of a file.

    @ivar folder: the folder at which relative paths begin.
    """

    def __init__(self, folder: str, problem: Report, note: Report, *, files: bool = True) -> None:
        self.folder = folder
        self._tls = TLSBuilder(problem, note, folder, files=files)
        self._problem = problem
        self._note = note

    def build(self, root: Node) -> Settings:
        """
        Make the settings. They are of no use if a problem was reported.
        """
        self._noteIdle(root)
        admin = root.first(schema.ADMIN)
        manager = root.first(schema.MANAGER)
        control = root.first(schema.CONTROL)
        logging = root.first(schema.LOGGING)
        events = root.first(schema.EVENTS)
        cluster = root.first(schema.CLUSTER)
        return Settings(
            AdminSettings() if admin is None else self._admin(admin),
            ManagerSettings() if manager is None else self._manager(manager),
            None if control is None else self._path(control, "socket"),
            None if logging is None else self._logging(logging),
            None if events is None else self._events(events),
            None if cluster is None else self._cluster(cluster),
        )

    def _admin(self, node: Node) -> AdminSettings:
        ssh, web = node.first(schema.SSH), node.first(schema.WEB)
        userNodes = node.all(schema.USER)
        checkUnique("user", userNodes, [user.get("name") for user in userNodes], self._problem)
        users = tuple(self._user(user) for user in userNodes)
        if ssh is not None and ssh.get("enable"):
            self._noteWhoGetsIn(ssh, users, bool(sourceNodes(node)))
        tokenNodes = node.all(schema.TOKEN)
        checkUnique("token", tokenNodes, [each.get("name") for each in tokenNodes], self._problem)
        tokens = tuple(AdminToken(each.get("name"), **each.settings) for each in tokenNodes)
        if web is not None and web.get("enable"):
            self._noteNoUsers(web, users, tokens, bool(sourceNodes(node)))
        elif web is not None and "enable" not in web.values and "enable" not in web.wrong:
            self._note(web.line, '<web> is not served; write enable="yes" into it')
        return AdminSettings(
            None if ssh is None else SSHSettings(**ssh.settings),
            None if web is None else self._web(web),
            users,
            tokens,
            **SourcesBuilder(self.folder, self._problem, self._note).build(node),
        )

    def _web(self, node: Node) -> WebSettings:
        tls = self._tls.listener(node)
        inner = node.first(schema.TLS)
        if inner is None and node.get("secure"):
            self._problem(
                node.line,
                'secure of <web> is yes, and there is no certificate; put <tls certificates="…"/> '
                "into it",
            )
        elif inner is not None and node.values.get("secure") is False:
            self._problem(
                node.line,
                "secure of <web> is no, and there is a <tls> in it; leave one of them out",
            )
        settings = WebSettings(**node.settings, tls=tls)
        plain = settings.enable and inner is None and "listen" not in node.wrong
        # Where systemd listens is known when the balancer starts.
        if (
            plain
            and not isinstance(settings.listen, InheritedAddress)
            and not isLocal(settings.listen)
        ):
            self._note(
                node.line,
                f"<web> listens on {settings.listen} without TLS, and so the balancer does not "
                'start; put <tls certificates="…"/> into it, or listen on 127.0.0.1',
            )
        return settings

    def _noteNoUsers(
        self,
        web: Node,
        users: tuple[AdminUser, ...],
        tokens: tuple[AdminToken, ...],
        others: bool,
    ) -> None:
        if (
            tokens
            or others
            or any(user.password and isCurrentHash(user.password) for user in users)
        ):
            return
        self._note(
            web.line,
            "no user can log in to the console, and no program has a token: it takes a user with "
            "a password made with txlb passwd, or a token made with txlb token",
        )

    def _user(self, node: Node) -> AdminUser:
        password = node.get("password")
        keys = self._path(node, "authorizedKeys")
        if password is None and keys is None and not node.wrong:
            self._problem(
                node.line,
                f"{node.label} has neither password nor authorizedKeys; one of them is needed "
                "to log in",
            )
        if password is not None and not isCurrentHash(password):
            self._note(
                node.line,
                f"the password of {node.label} is an old crypt hash, with which no login "
                "succeeds; make a new one with: txlb passwd",
            )
        if keys is not None and not os.path.isfile(keys):
            self._note(node.line, f"the keys of {node.label} are not there yet: no file {keys}")
        return AdminUser(node.get("name"), **{**node.settings, "authorizedKeys": keys})

    def _noteWhoGetsIn(self, ssh: Node, users: tuple[AdminUser, ...], others: bool) -> None:
        """
        Note that no user gets in.

        @param others: whether there are other sources of logins.
        """
        if not others and not any(
            user.access == "full"
            and (user.authorizedKeys or (user.password and isCurrentHash(user.password)))
            for user in users
        ):
            self._note(
                ssh.line,
                "no user gets a prompt by ssh: it takes a user with access full and with "
                "authorizedKeys or a password made with: txlb passwd",
            )

    def _manager(self, node: Node) -> ManagerSettings:
        configCheck = node.first(schema.CONFIG_CHECK)
        return ManagerSettings(
            _timer(node, schema.HOST_CHECK),
            None if configCheck is None else ConfigCheckSettings(**configCheck.settings),
            _timer(node, schema.HEARTBEAT),
            **node.settings,
        )

    def _logging(self, node: Node) -> LoggingSettings:
        return LoggingSettings(**{**node.settings, "file": self._path(node, "file")})

    def _events(self, node: Node) -> EventsSettings | None:
        if node.wrong:
            return None
        paths = {
            name: self._path(node, name) for name in ("passwordFile", "ca", "clientCertificate")
        }
        try:
            return EventsSettings(**{**node.settings, **paths}, name=node.get("name"))
        except ModelError as error:
            self._problem(node.line, str(error))
            return None

    def _cluster(self, node: Node) -> Cluster | None:
        if node.wrong:
            return None
        try:
            # Its paths begin at the folder of the file when they are used.
            return Cluster(node.get("name"), **node.settings)
        except ModelError as error:
            self._problem(node.line, str(error))
            return None

    def _path(self, node: Node, name: str) -> str | None:
        path = node.get(name)
        return None if path is None else os.path.join(self.folder, path)

    def _noteIdle(self, node: Node) -> None:
        """
        Note everything that is written and has no effect.
        """
        for attribute in node.spec.attributes:
            if attribute.ignored and attribute.name in node.values:
                self._note(node.line, f"{attribute.name} of {node.label} is read and has no effect")
        for child in node.children:
            self._noteIdle(child)


def _timer(manager: Node, spec: Element) -> TimerSettings | None:
    node = manager.first(spec)
    return None if node is None else TimerSettings(**node.settings)
