"""
Sources of hosts: where a balancer learns which hosts a group has, and what happens if a source
fails, changes its mind, or has nothing to say.

A source of your own is an L{txlb.interfaces.IHostSource} and a L{SourceKind} with its word and
options; L{registerSource} makes it known.
"""

from txlb.discovery._announce import AnnounceService
from txlb.discovery._discoverer import Discoverer
from txlb.discovery._dns import DNS, DNSSource
from txlb.discovery._entries import (
    MAX_DOCUMENT,
    MAX_HOSTS,
    DocumentError,
    Entries,
    GroupedEntries,
    foundHost,
    parseDocument,
)
from txlb.discovery._etcd import ETCD
from txlb.discovery._file import FILE, FileSource
from txlb.discovery._followedfiles import FollowedFiles
from txlb.discovery._foundhost import FoundHost
from txlb.discovery._groupdiscovery import DiscoveryState
from txlb.discovery._http import HTTP
from txlb.discovery._optionfiles import credentialsIn, readFiles
from txlb.discovery._sourcekind import (
    SourceKind,
    SourceTools,
    makeSource,
    registerSource,
    sourceKinds,
)
from txlb.discovery._stomp import STOMP
from txlb.discovery._stompannounce import StompAnnounceService
from txlb.discovery._store import Store
from txlb.model.options import Option

__all__ = [
    "MAX_DOCUMENT",
    "MAX_HOSTS",
    "AnnounceService",
    "DNSSource",
    "Discoverer",
    "DiscoveryState",
    "DocumentError",
    "Entries",
    "FileSource",
    "FollowedFiles",
    "FoundHost",
    "GroupedEntries",
    "Option",
    "SourceKind",
    "SourceTools",
    "StompAnnounceService",
    "Store",
    "credentialsIn",
    "foundHost",
    "makeSource",
    "parseDocument",
    "readFiles",
    "registerSource",
    "sourceKinds",
]

for _kind in (FILE, DNS, ETCD, HTTP, STOMP):
    registerSource(_kind)
