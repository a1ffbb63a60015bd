"""
A directory as a source of logins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from txlb.config._accessmap import AccessMap, checkMaps
from txlb.config._loginsource import onUnavailableField
from txlb.errors import ModelError
from txlb.model.kinds import DAY, Boolean, Parsed, Path, Seconds, Several, Text, quoted
from txlb.model.settings import checkSettings, setting, settingField

_DN = Text(r"[^\x00-\x1f]+", "a distinguished name")
_ATTRIBUTE = Text(r"[A-Za-z][A-Za-z0-9-]*", "the name of an attribute")


def parseLDAPURL(value: object) -> str:
    """
    Check the URL of a server.

    @raise ModelError: it is none.
    """
    text = str(value) if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    right = parts.scheme in {"ldap", "ldaps"} and parts.hostname and port != 0
    if not right or parts.path.strip("/") or parts.query or parts.username:
        raise ModelError(
            f"{quoted(text)} is no URL of a directory server; write ldaps://host or "
            "ldap://host:port"
        )
    return text


@dataclass(frozen=True, slots=True)
class LDAPSource:
    """
    Servers of one directory that decide about logins.

    @ivar maps: the access of the members of groups.
    """

    url: tuple[str, ...] = field(
        metadata=setting(
            Several(Parsed(parseLDAPURL, "ldaps://host or ldap://host, with a port or without")),
            "The servers, with spaces between: ``ldaps://host``, or ``ldap://host`` together with "
            "``startTLS``. They are asked in this order; the next one if one does not answer.",
        )
    )
    maps: tuple[AccessMap, ...] = ()
    startTLS: bool = settingField(
        False,
        Boolean(),
        "Whether connections by ``ldap://`` begin TLS. Without TLS there are none.",
    )
    ca: str | None = settingField(
        None,
        Path(),
        "A file of certificates, in PEM, of the authorities that are trusted.",
        defaultDoc="those of the system",
    )
    bindDN: str | None = settingField(
        None,
        _DN,
        "The account by which users and groups are searched.",
        defaultDoc="searches are anonymous",
    )
    bindPasswordFile: str | None = settingField(
        None,
        Path(),
        "The file of that account's password. Its first line counts. Other users of the machine "
        "may not be able to read it.",
        defaultDoc="no password",
    )
    searchBase: str | None = settingField(
        None, _DN, "Where users are searched, with all that is below.", defaultDoc="no search"
    )
    userAttribute: str = settingField(
        "uid",
        _ATTRIBUTE,
        "The attribute that holds the login name; in Active Directory ``sAMAccountName``.",
    )
    bindPattern: str | None = settingField(
        None,
        Text(r"[^\x00-\x1f]*\{user\}[^\x00-\x1f]*", "a distinguished name with {user} in it"),
        "The name by which a user logs in to the directory, with ``{user}`` for the login name, "
        "such as ``uid={user},ou=people,dc=example,dc=org``. With it no user is searched.",
        defaultDoc="the user is searched",
    )
    groupBase: str | None = settingField(
        None,
        _DN,
        "Where the groups of a user are searched, with all that is below.",
        defaultDoc="memberOf of the user tells them",
    )
    groupAttribute: str = settingField(
        "member",
        _ATTRIBUTE,
        "The attribute of a group that holds the distinguished names of its members.",
    )
    keyAttribute: str | None = settingField(
        None,
        _ATTRIBUTE,
        "The attribute of a user that holds public keys for ssh, such as ``sshPublicKey``.",
        defaultDoc="no keys",
    )
    timeout: float = settingField(
        5.0,
        Seconds(0.1, 60.0),
        "Seconds that a server has to connect, and for each answer.",
    )
    onUnavailable: str = onUnavailableField()
    recheck: float = settingField(
        300.0,
        Seconds(1.0, DAY),
        "Seconds between two looks at a user that is in. If the user is gone, or has less access, "
        "the session ends. Without a search the user has to log in again after this time.",
    )

    def __post_init__(self) -> None:
        checkSettings(self, "<ldap>")
        object.__setattr__(self, "maps", checkMaps(self.maps, "group", "value", "<ldap>"))
        for problem in self.problems:
            raise ModelError(problem)

    @property
    def problems(self) -> list[str]:
        """
        The rules that these settings break together.
        """
        found = []
        if not self.url:
            found.append(
                "<ldap> has no server; write one, such as ldaps://ldap.example.org, in url"
            )
        plain = [each for each in self.url if each.startswith("ldap:")]
        if plain and not self.startTLS:
            found.append(
                f"<ldap> has {plain[0]}, over which passwords would go in the clear; write "
                f'ldaps:{plain[0][5:]}, or add startTLS="true"'
            )
        if self.startTLS and len(plain) < len(self.url):
            found.append(
                "<ldap> has startTLS and a server by ldaps://; startTLS is for ldap:// alone"
            )
        if (self.bindPattern is None) == (self.searchBase is None):
            found.append(
                "<ldap> needs either searchBase, below which users are searched, or bindPattern, "
                "by which they log in without a search"
            )
        if self.bindPasswordFile is not None and self.bindDN is None:
            found.append("<ldap> has bindPasswordFile without bindDN, whose password it would be")
        if self.bindDN is not None and self.bindPasswordFile is None:
            found.append("<ldap> has bindDN without bindPasswordFile, the file of its password")
        if self.keyAttribute is not None and self.searchBase is None:
            found.append("<ldap> has keyAttribute, which takes a search; give searchBase")
        return found
