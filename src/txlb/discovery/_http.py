"""
The source C{http}: its word and its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from txlb.discovery._catalogs import FORMS
from txlb.discovery._sourcekind import SourceKind, SourceTools
from txlb.errors import ModelError
from txlb.model.kinds import Path, Seconds, Text, Word
from txlb.model.options import Option

if TYPE_CHECKING:
    from txlb.discovery._httpsource import HTTPSource


def _make(options: Mapping[str, Any], tools: SourceTools) -> HTTPSource:
    if (options["user"] is None) != (options["passwordFile"] is None):
        raise ModelError("the http source has one of user and passwordFile; it has both or none")
    if options["user"] is not None and options["tokenFile"] is not None:
        raise ModelError("the http source has a user and a tokenFile; it has one of the two")
    url = options["url"]
    try:
        parts = urlsplit(url)
        right = bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise ModelError(f"url of the http source is {url!r}, which has no right host and port")
    # Twisted's HTTP client is imported only by those that need it.
    from txlb.discovery._httpsource import HTTPSource  # noqa: PLC0415 - see above

    return HTTPSource(options, tools)


HTTP = SourceKind(
    "http",
    "The hosts of the group are in a JSON document that a server has. The balancer asks for it "
    "again and again, and the server answers with a document only if it has changed, if it knows "
    "``ETag``. Redirections are not followed. Clients that can write the document choose the hosts "
    "of the group.",
    _make,
    (
        Option(
            "url",
            Text(
                r"https?://[A-Za-z0-9._:\[\]-]+(/[!-\"$-~]*)?",
                "a URL such as https://registry.example.org/hosts.json, without a user",
            ),
            "The URL of the document.",
            required=True,
        ),
        Option("interval", Seconds(0.5, 86400), "How often it is asked for.", 5.0),
        Option("timeout", Seconds(0.1, 300), "How long an answer may take.", 10.0),
        Option(
            "form",
            Word(FORMS),
            "The form of the document: ``txlb`` for entries as in a file, ``consul`` for what "
            "Consul has at ``/v1/health/service/NAME``, ``nomad`` for what Nomad has at "
            "``/v1/service/NAME``.",
            FORMS[0],
        ),
        Option(
            "ca",
            Path(),
            "A file with the certificates that that of the server is signed by, for ``https``.",
            defaultDoc="those of the system",
        ),
        Option(
            "clientCertificate",
            Path(),
            "A file with a certificate and its key, which is shown to the server.",
        ),
        Option("user", Text(r"[!-9;-~]+", "a name without a colon"), "The user, for ``Basic``."),
        Option("passwordFile", Path(), "The file with the user's password, in one line."),
        Option("tokenFile", Path(), "The file with a token, in one line, for ``Bearer``."),
    ),
)
