"""
The cluster as a part of a balancer.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed

from txlb.application._keptshared import KeptShared
from txlb.application._sharedchanges import SharedChanges
from txlb.discovery import FollowedFiles, credentialsIn, readFiles
from txlb.discovery._optionfiles import CERTIFICATES
from txlb.errors import ModelError, TxlbError
from txlb.model import ACTIVE_ACTIVE, Cluster, HostMapper, ProxyService, shown

if TYPE_CHECKING:
    from txlb.application._runs import Runs
    from txlb.clients import EtcdClient
    from txlb.cluster import ChangeLog, ClusterMember, ClusterState, Item
    from txlb.pool import Event

#: The settings that name files.
_FILES = (*CERTIFICATES, "passwordFile")

#: Addresses that a member tells the others at most.
MOST_ADDRESSES = 5


class ClusterService(Service):
    """
    Lets a balancer be a member of a cluster, while it runs. Owned by the balancer, as its child
    C{cluster}.

    Relative paths begin at the folder of the configuration file; without one, at the working
    directory.

    @param balancer: the balancer.
    @param settings: the cluster; L{None} for none.
    @raise ModelError: it is no L{Cluster}.

    @ivar settings: see above.
    @ivar kept: hands the shared values over in an upgrade.
    """

    name = "cluster"

    def __init__(self, balancer: Runs, settings: Cluster | None) -> None:
        given: object = settings
        if given is not None and not isinstance(given, Cluster):
            raise ModelError(f"cluster of a LoadBalancedService is {shown(given)}, not a Cluster")
        self.settings = settings
        self._balancer = balancer
        self._member: ClusterMember | None = None
        # The contents of the files that the settings name.
        self._files: dict[str, bytes] | None = None
        self._followed: FollowedFiles | None = None
        # The values that the process before this one had made.
        self._before: Sequence[Item] = ()
        self.kept = KeptShared(lambda: self._log, self._tookOver)
        name = "" if settings is None else settings.name
        self._sharing = SharedChanges(balancer, lambda: self.member, name)

    def remember(self) -> None:
        """
        Take the services for those without live changes, if no file has these. What members take
        back becomes what it is there.
        """
        self._sharing.remember()

    def prepare(self) -> None:
        """
        Read the files of the settings, which a process that gives up its rights can't read later.

        @raise ModelError: one can't be read, or a certificate can't be used.
        """
        settings = self.settings
        if settings is None or self._files is not None:
            return
        files = readFiles(*self._namedFiles(settings))
        if not files.keys().isdisjoint(CERTIFICATES):
            # Twisted's HTTP client is imported only by those that need it.
            from txlb.clients import TLSPolicy  # noqa: PLC0415 - see above

            try:
                TLSPolicy(files.get("ca"), files.get("clientCertificate"))
            except ModelError as error:
                raise ModelError(f"{error}, of cluster {settings.name!r}") from None
        self._files = files

    def _namedFiles(
        self, settings: Cluster
    ) -> tuple[Mapping[str, str | None], str, Callable[[str], str]]:
        """
        Return the arguments of L{readFiles}.
        """
        file = self._balancer.configuration
        folder = os.getcwd() if file is None else os.path.dirname(os.path.abspath(file.path))
        names = {name: getattr(settings, name) for name in _FILES}
        return names, folder, lambda name: f"{name} of cluster {settings.name!r}"

    def startService(self) -> None:
        """
        Join the cluster.

        @raise ModelError: a file of its settings can't be read.
        """
        if self.settings is not None:
            self.prepare()
            self._member = self._made(self.settings)
            if self._before:
                self._member.log.takeOver(self._before)
                self._before = ()
            self._sharing.start()
            self._member.startService()
        super().startService()

    def stopService(self) -> Deferred[None]:
        """
        Leave the cluster.

        @return: fires with L{None} when that is done, or when etcd had its time for it. It does
            not fail.
        """
        super().stopService()
        self._sharing.stop()
        if self._followed is not None:
            self._followed.stop()
            self._followed = None
        member, self._member = self._member, None
        return succeed(None) if member is None else member.stopService()

    def _made(self, settings: Cluster) -> ClusterMember:
        # Twisted's HTTP client is imported only by those that need it.
        from txlb.clients import EtcdClient  # noqa: PLC0415 - see above
        from txlb.cluster import ClusterMember  # noqa: PLC0415 - see above

        files = self._files or {}
        engine, manager = self._balancer.engine, self._balancer.manager
        client = EtcdClient(
            engine.reactor,
            settings.urls,
            user=settings.user or "",
            **credentialsIn(files),
            timeout=settings.ttl,
        )
        named = self._namedFiles(settings)
        self._followed = FollowedFiles(
            f"cluster {settings.name!r}",
            files,
            lambda: self._balancer.slices.aside(readFiles, *named),
            lambda found: self._renew(settings, client, found),
        )
        self._followed.start(engine.deadlines)
        addresses = [
            str(address)
            for service in manager.services.values()
            for address in service.addresses[:MOST_ADDRESSES]
        ]
        return ClusterMember(
            settings,
            settings.member or socket.gethostname(),
            ", ".join(addresses[:MOST_ADDRESSES]),
            client,
            engine.reactor,
            engine.deadlines,
            lambda kind, message: manager.tell(kind, (settings.name,), message),
            make=self._sharing.make,
        )

    @property
    def _log(self) -> ChangeLog | None:
        return None if self._member is None else self._member.log

    def _tookOver(self, items: Sequence[Item]) -> None:
        """
        Take note of what the process before this one has made.
        """
        if self._member is None:
            self._before = items
        else:
            self._member.log.takeOver(items)

    def _renew(self, settings: Cluster, client: EtcdClient, files: Mapping[str, bytes]) -> None:
        """
        Use renewed files.

        @raise ModelError: a certificate can't be used.
        """
        try:
            client.replaceCredentials(**credentialsIn(files))
        except ModelError as error:
            raise ModelError(f"{error}, of cluster {settings.name!r}") from None
        # A balancer that is started again has these.
        self._files = dict(files)

    # What there is

    @property
    def leads(self) -> bool:
        """
        Whether this balancer is the leader of its cluster for sure.
        """
        return self._member is not None and self._member.leads

    @property
    def whyNotLeader(self) -> str:
        """
        The reason why this balancer is not the leader of its cluster; empty if it is.
        """
        if self.leads:
            return ""
        state = self.state
        if state is None:
            return "it is in no cluster"
        if not state.connected:
            return "it is cut off from its cluster"
        return (
            f"{state.leader} leads the cluster" if state.leader else "no member leads the cluster"
        )

    @property
    def active(self) -> bool:
        """
        Whether clients are meant to come to this balancer: it is in no cluster, or leads it, or
        the cluster has the mode C{active-active}.
        """
        return self.settings is None or self.settings.mode == ACTIVE_ACTIVE or self.leads

    @property
    def state(self) -> ClusterState | None:
        """
        The cluster as this balancer knows it; L{None} if it is in none, or does not run.
        """
        return None if self._member is None else self._member.state

    @property
    def member(self) -> ClusterMember:
        """
        The member that this balancer is.

        @raise TxlbError: it is in no cluster, or does not run.
        """
        if self._member is None:
            raise TxlbError(
                "this balancer is in no cluster; <cluster> in its configuration file makes it a "
                "member of one"
                if self.settings is None
                else "the balancer does not run, so it is in no cluster"
            )
        return self._member

    def change(self, action: Callable[[], Any]) -> Deferred[Any]:
        """
        Change services on all members: the change is committed in etcd first, and then made by
        each member in the order of the changes. Without a cluster it is made at once::

            services.cluster.change(lambda: manager.setWeight('web', 'servers', 'host1', 5))

        @param action: calls verbs of the manager. It is called again if another change has come
            before.
        @return: fires with the events of the change on this member; or as C{action} does, if that
            has changed nothing. It fails with L{TxlbError} if this member is cut off, or if the
            change is refused; and as C{action} raises.
        """
        if self._member is None:
            return maybeDeferred(action)
        return self._sharing.change(action)

    async def share(self, services: Iterable[HostMapper | ProxyService]) -> None:
        """
        Commit what a change in slices shares, before it is made on this member.

        @raise TxlbError: it is refused.
        """
        if self._member is not None:
            await self._sharing.share(services)

    def shared(self) -> list[Item]:
        """
        Return the values that the members share, beside what their files say.

        @raise TxlbError: this balancer is in no cluster.
        """
        return list(self.member.log.overrides.items)

    def forget(
        self, service: str = "", group: str = "", host: str = ""
    ) -> Deferred[tuple[int, tuple[Event, ...]]]:
        """
        Take back, on all members, the shared values of a service, of one of its groups or of one
        of its hosts, and of what is in it. Without names all are taken back. On each member they
        are again what its file says, or its source of hosts.

        @return: fires with the number of values, and with the events on this member. It fails with
            L{TxlbError} if there are none, if the balancer is in no cluster, or if the change is
            refused.
        """
        names = service, group, host
        key = tuple(each for each in names if each)
        if names[: len(key)] != key:
            return fail(ModelError("a host is named with its group, and a group with its service"))
        try:
            self.member  # noqa: B018 - it raises if there is none
        except TxlbError as error:
            return fail(error)
        return self._sharing.forget(key)

    def stepDown(self) -> Deferred[None]:
        """
        Let another member lead.

        @return: fires with L{None} when this one does not lead any more. It fails with
            L{TxlbError} if it does not lead, or if there is no other member.
        """
        try:
            return self.member.stepDown()
        except TxlbError as error:
            return fail(error)

    def leave(self) -> Deferred[None]:
        """
        Be no member any more, until L{join} or until the balancer is started again.

        @return: fires with L{None} when that is done. It fails with L{TxlbError} if it is in no
            cluster.
        """
        try:
            return self.member.leave()
        except TxlbError as error:
            return fail(error)

    def join(self) -> None:
        """
        Be a member again.

        @raise TxlbError: it is in no cluster.
        """
        self.member.join()
