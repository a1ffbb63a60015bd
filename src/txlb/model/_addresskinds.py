"""
The kinds of addresses and of networks.
"""

from __future__ import annotations

from functools import partial

from txlb.model._addresses import parseHostAddress, parseListenAddress
from txlb.model._networks import parseNetwork
from txlb.model.kinds import Kind, Parsed

HOST_ADDRESS = Parsed(parseHostAddress, "an address: host:port, [::1]:port or unix:/path")

LISTEN_ADDRESS = Parsed(
    parseListenAddress,
    "an address to listen on: host:port, [::1]:port, unix:/path, systemd:name, or *:port for "
    "every interface",
    # A file can't say port 0, as nothing could find the listener.
    partial(parseListenAddress, ephemeral=False),
)

CLIENT_NETWORK: Kind = Parsed(
    parseNetwork,
    "a network of clients: 192.0.2.0/24, 2001:db8::/32, one address, unix for clients of "
    "UNIX sockets, or all",
)
