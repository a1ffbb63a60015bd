"""
The source C{etcd}: its word and its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from txlb.discovery._optionfiles import checkServers
from txlb.discovery._sourcekind import SourceKind, SourceTools
from txlb.model.kinds import Path, Several, Text
from txlb.model.options import Option

if TYPE_CHECKING:
    from txlb.discovery._etcdsource import EtcdSource

#: The kind of URLs of members.
MEMBERS = Several(
    Text(r"https?://[A-Za-z0-9._:\[\]-]+/?", "a URL such as http://127.0.0.1:2379"),
    "one URL or more, with spaces between, such as http://127.0.0.1:2379",
)


def _make(options: Mapping[str, Any], tools: SourceTools) -> EtcdSource:
    checkServers("etcd", options)
    # Twisted's HTTP client is imported only by those that need it.
    from txlb.discovery._etcdsource import EtcdSource  # noqa: PLC0415 - see above

    return EtcdSource(options, tools)


ETCD = SourceKind(
    "etcd",
    "The hosts of the group are keys of etcd with a prefix, one for each host. The rest of the key "
    "is the name of the host, and its value is an entry of a document of hosts. The keys are "
    "watched, so a change is there at once. Clients that can write there choose the hosts of the "
    "group.",
    _make,
    (
        Option("url", MEMBERS, "The members of the etcd cluster.", required=True),
        Option(
            "prefix",
            Text(r"[!-~]{1,512}", "1 to 512 printable ASCII characters without a space"),
            "What the keys begin with, such as ``txlb/web/production``. A slash follows it.",
            required=True,
        ),
        Option("user", Text(r"[!-~]+", "a name"), "The user of etcd.", defaultDoc="no user"),
        Option("passwordFile", Path(), "The file with the user's password, in one line."),
        Option(
            "ca",
            Path(),
            "A file with the certificates that those of the members are signed by, for ``https``.",
            defaultDoc="those of the system",
        ),
        Option(
            "clientCertificate",
            Path(),
            "A file with a certificate and its key, which is shown to the members.",
        ),
    ),
)
