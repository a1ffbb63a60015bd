"""
The PROXY headers that hosts get.
"""

from __future__ import annotations

import uuid

from txlb.model import ProxyGroup
from txlb.proxy._clientconnection import ClientConnection
from txlb.wire import NOT_PASSED, TLVKind, encodeProxyV1, encodeProxyV2


def headerFor(client: ClientConnection, group: ProxyGroup) -> bytes:
    """
    Return the PROXY header of a connection, empty if its group wants none.
    """
    version = group.sendProxy
    if version is None:
        return b""
    client.learnSession()
    ends = client.sourceAddress, client.destinationAddress
    if version == "v1":
        return encodeProxyV1(*ends)
    tlvs = _facts(client) if version == "v2-ssl" else {}
    header = None if client.found is None else client.found.header
    if group.passTLVs and header is not None:
        for kind, value in header.tlvs:
            if kind not in NOT_PASSED:
                tlvs.setdefault(kind, value)
    return encodeProxyV2(*ends, tuple(tlvs.items()))


def _facts(client: ClientConnection) -> dict[int, bytes]:
    """
    Return what is known of a client's TLS session, and an identifier of the connection.
    """
    facts: dict[int, bytes] = {}
    found = client.found
    header = None if found is None else found.header
    identifier = None if header is None else header.tlv(TLVKind.UNIQUE_ID)
    if found is not None:
        protocol = found.protocol
        if protocol:
            facts[TLVKind.ALPN] = protocol.encode("latin-1")
        if found.serverName:
            facts[TLVKind.AUTHORITY] = found.serverName.encode("ascii")
        if found.tls is not None:
            facts[TLVKind.SSL] = found.tls.toTLV()
    facts[TLVKind.UNIQUE_ID] = identifier or uuid.uuid4().hex.encode("ascii")
    return facts
