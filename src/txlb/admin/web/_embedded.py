"""
The console inside a site of the application.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.application.service import Service
from twisted.web.resource import Resource

from txlb._reactor import pickedReactor
from txlb.admin._history import History
from txlb.admin._kepthistory import keepHistory
from txlb.admin.login import Logins, loginsOf
from txlb.admin.web._console import Console
from txlb.admin.web._headers import setHeaders
from txlb.admin.web._problem import problemReply
from txlb.admin.web._resource import WebResource
from txlb.config import AdminToken, AdminUser


def webResource(
    lbs: Any,
    users: Iterable[AdminUser] = (),
    *,
    tokens: Iterable[AdminToken] = (),
    hostNames: Iterable[str] = (),
    refresh: float = 30.0,
    metrics: str = "login",
    config: Any = None,
    logins: Logins | None = None,
    reactor: Any = None,
) -> Resource:
    """
    Make the web console of a balancer as a resource, for the application's own site, such as
    C{root.putChild(b"balancer", webResource(services, users))}. It serves while the balancer
    runs.

    The site decides about TLS and about the connections of clients; a body that is too long is
    refused here when it has come. A client of another machine has to come by TLS.

    @param lbs: the L{txlb.application.LoadBalancedService}.
    @param users: the users that may log in by their passwords.
    @param tokens: the tokens of programs.
    @param hostNames: the names of the site; by default its address, C{localhost} and the name of
        the machine.
    @param refresh: seconds between two updates of open pages.
    @param metrics: C{open} or C{login}.
    @param config: the L{txlb.application.ConfigurationFile}; L{None} if there is no file.
    @param logins: decides which users may log in; by default the logins of the balancer's
        other doors, or new ones.
    @param reactor: by default the global one, from when the balancer starts.
    @raise DuplicateName: two users have the same name.
    @raise ModelError: another door has other users.
    """
    decided = loginsOf(lbs, users, logins)
    settings = {
        "tokens": tuple(tokens),
        "hostNames": tuple(hostNames),
        "refresh": refresh,
        "openMetrics": metrics == "open",
        "needsTLS": True,
    }
    embedded = EmbeddedConsole(lbs, config, decided, reactor, settings)
    embedded.setServiceParent(lbs)
    return embedded.resource


class EmbeddedResource(Resource):
    """
    The resource. Owned by an L{EmbeddedConsole}.

    @ivar inner: the console; L{None} while the balancer does not run.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.inner: WebResource | None = None

    def render(self, request: Any) -> Any:
        """
        Answer a request.
        """
        if self.inner is not None:
            return self.inner.render(request)
        setHeaders(request)
        reply = problemReply(503, "the balancer does not run")
        request.setResponseCode(reply.status)
        request.setHeader(b"content-type", reply.media.encode("ascii"))
        return b"".join(reply.pieces or ())


class EmbeddedConsole(Service):
    """
    Begins and ends with the balancer, whose child it is. See L{webResource}.

    @param settings: those of the L{Console}, by their names.
    @ivar resource: for the site.
    """

    def __init__(
        self, lbs: Any, config: Any, logins: Logins, reactor: Any, settings: dict[str, Any]
    ) -> None:
        self._lbs = lbs
        self._config = config
        self._logins = logins
        self._reactor = reactor
        self._settings = settings
        self._history = History()
        keepHistory(lbs, "events-web", self._history)
        self.resource = EmbeddedResource()

    def startService(self) -> None:
        """
        Begin to serve.
        """
        self._reactor = reactor = pickedReactor(self._reactor)
        self._logins.start(reactor)
        console = Console(
            self._lbs,
            self._config,
            self._logins,
            reactor,
            history=self._history,
            **self._settings,
        )
        self.resource.inner = WebResource(console)
        super().startService()

    def stopService(self) -> None:
        """
        Serve no more, and end all sessions.
        """
        super().stopService()
        inner, self.resource.inner = self.resource.inner, None
        if inner is not None:
            inner.console.stop()
            self._logins.stop()
