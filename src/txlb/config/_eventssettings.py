"""
The settings of events that are published.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.errors import ModelError
from txlb.model.kinds import BROKERS, DESTINATION, HEART_BEAT, VIRTUAL_HOST, Path, Text, Word
from txlb.model.settings import checkSettings, setting, settingField


@dataclass(frozen=True, slots=True)
class EventsSettings:
    """
    The place to which events are published.
    """

    to: str = field(metadata=setting(Word(("stomp",)), "The kind of the place: a broker of STOMP."))
    url: tuple[str, ...] = field(
        metadata=setting(
            BROKERS,
            "The brokers, in the order in which they are tried: ``stomp://HOST:PORT``, or "
            "``stomp+ssl://HOST:PORT`` for TLS.",
        )
    )
    destination: str = field(
        metadata=setting(DESTINATION, "The topic, such as ``/topic/txlb.events``.")
    )
    name: str | None = settingField(
        None,
        Text(r"[!-~]{1,255}", "a name without a space"),
        "The name of the balancer in the messages.",
        defaultDoc="the name of the machine",
    )
    user: str | None = settingField(
        None, Text(r"[!-~]+", "a name"), "The user of the broker.", defaultDoc="no user"
    )
    passwordFile: str | None = settingField(
        None, Path(), "The file with the user's password, in one line.", defaultDoc="no password"
    )
    virtualHost: str = settingField("/", VIRTUAL_HOST, "The virtual host of the broker.")
    ca: str | None = settingField(
        None,
        Path(),
        "A file with the certificates that those of the brokers are signed by, for ``stomp+ssl``.",
        defaultDoc="those of the system",
    )
    clientCertificate: str | None = settingField(
        None,
        Path(),
        "A file with a certificate and its key, which is shown to the brokers.",
        defaultDoc="no certificate",
    )
    heartBeat: float = settingField(
        2.0,
        HEART_BEAT,
        "How often the broker and the balancer let each other know that they are there.",
    )

    def __post_init__(self) -> None:
        checkSettings(self, "<events>")
        if not self.url:
            raise ModelError("<events> has no URL of a broker in url; it is one or more")
        if self.passwordFile is not None and self.user is None:
            raise ModelError("<events> has a passwordFile and no user; write the user as well")
