"""
URLs of message brokers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from txlb.errors import ModelError
from txlb.model.kinds._plain import PlainKind
from txlb.model.kinds._seconds import Seconds
from txlb.model.kinds._several import Several
from txlb.model.kinds._text import Text

_URL = re.compile(
    r"stomp(\+ssl)?://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})/?"
)


@dataclass(frozen=True, slots=True)
class BrokerURL(PlainKind):
    """
    The URL of a broker of STOMP, with a port, and without a user and a password: these have
    settings of their own, and the URL is shown in logs. A wrong one is not shown.
    """

    def describe(self) -> str:
        return "stomp://HOST:PORT, or stomp+ssl://HOST:PORT for TLS"

    def parse(self, text: str, what: str) -> str:
        found = _URL.fullmatch(text)
        if found is None or not 0 < int(found[2]) < 65536:
            raise self.wrong(text, what)
        return text.rstrip("/")

    def wrong(self, text: str, what: str) -> ModelError:
        return ModelError(
            f"{what} has a wrong URL, which is not shown as there may be a password in it; it is "
            f"{self.describe()}, and the user and the password have settings of their own"
        )


#: The kind of lists of brokers.
BROKERS = Several(
    BrokerURL(),
    "one URL or more, with spaces between, each of which is stomp://HOST:PORT, or "
    "stomp+ssl://HOST:PORT for TLS",
)

#: The kind of the names of topics and queues.
DESTINATION = Text(r"[!-~]{1,255}", "1 to 255 printable ASCII characters without a space")

#: The kind of the names of virtual hosts.
VIRTUAL_HOST = Text(r"[!-~]{1,255}", "a name without a space")

#: The kind of times from one heart-beat to the next.
HEART_BEAT = Seconds(0.1, 60)
