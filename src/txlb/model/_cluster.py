"""
Clusters of balancers, as configured.
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, field

from txlb.errors import ModelError
from txlb.model._checks import checkName
from txlb.model.kinds import Name, Path, Seconds, Text, Word
from txlb.model.settings import checkSettings, setting, settingField

#: The ways in which the members of a cluster share the work.
ACTIVE_STANDBY, ACTIVE_ACTIVE = "active-standby", "active-active"

_URL = r"https?://[A-Za-z0-9._:\[\]-]+/?"

#: The kind of the registry that elections go through.
ELECTION = Text(
    rf"etcd:{_URL}( +{_URL})*",
    "etcd: and the URLs of the members of an etcd cluster, such as "
    "'etcd:http://127.0.0.1:2379 http://127.0.0.2:2379'",
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """
    The cluster that a balancer is a member of. Its settings are described where they are declared,
    and in the reference of the configuration file.

    @ivar member: L{None} for the name of the machine.
    """

    name: str = field(
        metadata=setting(Name("cluster"), "Its name, the same on all members.", word="name")
    )
    election: str = field(
        metadata=setting(
            ELECTION,
            "Where the members elect their leader and keep what they share: ``etcd:`` and the URLs "
            "of the members of an etcd cluster, with spaces between.",
        )
    )
    _: KW_ONLY
    mode: str = settingField(
        ACTIVE_STANDBY,
        Word((ACTIVE_STANDBY, ACTIVE_ACTIVE)),
        "Whether clients are meant to come to the leader alone, as with an address that moves, or "
        "to every member. A member serves the clients that come in either mode.",
    )
    member: str | None = settingField(
        None,
        Name("member"),
        "The name of this balancer, the only one of its kind in the cluster.",
        defaultDoc="the name of the machine",
    )
    ttl: float = settingField(
        3.0,
        Seconds(2.0, 60.0),
        "The time after which another member leads, if the leader is gone. It is rounded up to "
        "whole seconds.",
    )
    prefix: str = settingField(
        "txlb-clusters",
        Text(r"[!-~]{1,256}", "1 to 256 printable ASCII characters without a space"),
        "What the keys of all clusters begin with. A slash and the name of the cluster follow it.",
    )
    user: str | None = settingField(
        None, Text(r"[!-~]+", "a name"), "The user of etcd.", defaultDoc="no user"
    )
    passwordFile: str | None = settingField(
        None, Path(), "The file with the user's password, in one line.", defaultDoc="no password"
    )
    ca: str | None = settingField(
        None,
        Path(),
        "A file with the certificates that those of the members of etcd are signed by, for "
        "``https``.",
        defaultDoc="those of the system",
    )
    clientCertificate: str | None = settingField(
        None,
        Path(),
        "A file with a certificate and its key, which is shown to the members of etcd.",
        defaultDoc="no certificate",
    )

    def __post_init__(self) -> None:
        checkName("cluster", self.name)
        whose = f"cluster {self.name!r}"
        checkSettings(self, whose)
        if self.member is not None:
            checkName("member", self.member)
        if self.passwordFile is not None and self.user is None:
            raise ModelError(f"{whose} has a passwordFile and no user; write the user as well")

    @property
    def urls(self) -> tuple[str, ...]:
        """
        The members of etcd.
        """
        return tuple(re.split(r" +", self.election.removeprefix("etcd:")))
