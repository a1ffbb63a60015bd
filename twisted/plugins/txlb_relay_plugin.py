"""
Relays connections to the hosts beside the clones of an application.
"""

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from txlb.interfaces import IHostRelay, IHostRelayPlugin
from txlb.manager import ProxyManager


@implementer(IPlugin, IHostRelayPlugin)
class _HostRelays:
    """
    Makes the relay of a manager of clones.
    """

    modules = (
        "txlb.tls",
        "txlb.proxy",
        "txlb.resolve",
        "txlb.health",
        "txlb.resources",
        "txlb.config",
        "txlb.application",
        "txlb.application._hostrelay",
    )

    def start(self, pools: ProxyManager, reactor: Any) -> IHostRelay:
        """
        Begin to relay. See L{txlb.application._hostrelay.HostRelay}.
        """
        from txlb.application._hostrelay import HostRelay  # noqa: PLC0415 - if there are hosts

        relay = HostRelay(pools, reactor)
        relay.start()
        return relay


hostRelays = _HostRelays()
