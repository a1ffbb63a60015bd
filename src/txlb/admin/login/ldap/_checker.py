"""
A directory as a source of logins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.cred.credentials import ISSHPrivateKey, IUsernamePassword, SSHPrivateKey
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txlb.admin.login._authorized import publicKeyOfLine
from txlb.admin.login._interfaces import ILoginSource
from txlb.admin.login._login import Login
from txlb.admin.login._means import Means
from txlb.admin.login._refused import LoginRefused, SourceUnavailable
from txlb.admin.login._secretfile import readSecret
from txlb.admin.login._signatures import checkAlgorithm, checkSignature
from txlb.admin.login._username import checkPassword, userName
from txlb.admin.login.ldap import _messages as messages
from txlb.admin.login.ldap._conversation import Conversation
from txlb.admin.login.ldap._errors import ResultError, ServerError
from txlb.admin.login.ldap._messages import Entry
from txlb.admin.login.ldap._names import filledIn, firstValue, normal
from txlb.admin.login.ldap._servers import Servers, trustRootOf
from txlb.config import AccessMap, LDAPSource, accessOf

#: Groups of one user that are looked at.
MAX_GROUPS = 1000

#: Keys of one user that are looked at.
MAX_KEYS = 64


@implementer(ILoginSource)
class LDAPChecker:
    """
    The users of a directory.

    @param label: its name in logs and answers.
    @raise TxlbError: a file that the settings name can't be used.
    """

    def __init__(self, settings: LDAPSource, label: str, means: Means) -> None:
        self.label = label
        self.asksNext = settings.onUnavailable == "next"
        self.recheck = 0.0 if settings.searchBase is None else settings.recheck
        keys = settings.keyAttribute is not None
        self.credentialInterfaces = (IUsernamePassword, *((ISSHPrivateKey,) if keys else ()))
        self._settings = settings
        path = settings.bindPasswordFile
        self._secret = b"" if path is None else readSecret(path)
        self._servers = Servers(settings.url, settings.timeout, trustRootOf(settings.ca), means)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Check a password or a key.

        @return: fires with the login; see L{ILoginSource}.
        """
        if isinstance(credentials, SSHPrivateKey):
            return self._run(self._byKey(credentials))
        return self._run(self._byPassword(credentials.username, credentials.password))

    def again(self, login: Any) -> Deferred[Any]:
        """
        Look for a user that is in.
        """
        return self._run(self._found(login.name))

    def close(self) -> None:
        """
        Close all connections.
        """
        self._servers.close()

    def _run(self, asking: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._translated(asking))

    async def _translated(self, asking: Any) -> Login:
        try:
            login: Login = await asking
        except ServerError as error:
            # Without the context: its frames have the password.
            raise SourceUnavailable(f"no server answers: {error}") from None
        return login

    # Passwords

    async def _byPassword(self, name: bytes, password: bytes) -> Login:
        user = userName(name)
        checkPassword(password)
        pattern = self._settings.bindPattern
        if pattern is not None:
            dn = filledIn(pattern, user)
            if dn is None:
                raise LoginRefused("there is no such user")
            return await self._servers.ask(lambda talk: self._byPattern(talk, user, dn, password))
        return await self._servers.ask(lambda talk: self._bySearch(talk, user, password))

    async def _bySearch(self, talk: Conversation, user: str, password: bytes) -> Login:
        await self._serve(talk)
        entry = await self._entryOf(talk, user)
        await _prove(talk, entry.dn, password)
        groups = self._memberOf(entry)
        if self._settings.groupBase is not None:
            await self._serve(talk)
            groups = await self._groupsOf(talk, entry.dn)
        return self._login(self._nameOf(entry, user), groups, 0.0)

    async def _byPattern(self, talk: Conversation, user: str, dn: str, password: bytes) -> Login:
        await _prove(talk, dn, password)
        settings = self._settings
        if settings.groupBase is not None:
            if settings.bindDN is not None:
                await self._serve(talk)
            groups = await self._groupsOf(talk, dn)
        else:
            request = messages.searchRequest(
                dn, None, ["memberOf"], 2, settings.timeout, deep=False
            )
            entries = await self._search(talk, request, 2, "the entry of the user")
            groups = self._memberOf(entries[0]) if len(entries) == 1 else ()
        return self._login(user, groups, settings.recheck)

    async def _serve(self, talk: Conversation) -> None:
        """
        Log in with the account for searches, or anonymously.
        """
        try:
            await talk.bind(self._settings.bindDN or "", self._secret)
        except ResultError as error:
            who = self._settings.bindDN or "an anonymous client"
            raise ServerError(f"the server refuses {who}, which searches: {error}") from None

    async def _entryOf(self, talk: Conversation, user: str) -> Entry:
        """
        Find the entry of a user.

        @raise LoginRefused: there is none, or more than one.
        """
        settings = self._settings
        base = settings.searchBase or ""
        wanted = [settings.userAttribute, "memberOf"]
        if settings.keyAttribute is not None:
            wanted.append(settings.keyAttribute)
        only = messages.equals(settings.userAttribute, user)
        request = messages.searchRequest(base, only, wanted, 2, settings.timeout)
        found = await self._search(talk, request, 2, "users")
        if len(found) > 1:
            raise LoginRefused("there is more than one such user")
        if not found or not found[0].dn:
            # To bind with an empty name is to be anonymous.
            raise LoginRefused("there is no such user")
        return found[0]

    def _nameOf(self, entry: Entry, user: str) -> str:
        """
        Return the login name as the directory writes it: one user has one name in all logs.
        """
        for value in entry.values(self._settings.userAttribute):
            text = value.decode("utf-8", "replace")
            if text.casefold() == user.casefold() and text.isprintable():
                return text
        raise LoginRefused("the directory has found a user of another name")

    # Groups

    def _memberOf(self, entry: Entry) -> tuple[str, ...]:
        values = entry.values("memberOf")[:MAX_GROUPS]
        return tuple(value.decode("utf-8", "replace") for value in values)

    async def _groupsOf(self, talk: Conversation, dn: str) -> tuple[str, ...]:
        settings = self._settings
        only = messages.equals(settings.groupAttribute, dn)
        base = settings.groupBase or ""
        request = messages.searchRequest(base, only, ["cn"], MAX_GROUPS, settings.timeout)
        found = await self._search(talk, request, MAX_GROUPS, "groups")
        return tuple(each.dn for each in found)

    async def _search(self, talk: Conversation, request: Any, most: int, what: str) -> list[Entry]:
        try:
            return await talk.search(request, most)
        except ResultError as error:
            if error.code == messages.SIZE_LIMIT_EXCEEDED:
                raise LoginRefused(f"the server finds more {what} than it tells") from None
            raise ServerError(f"{what} can't be searched: {error}") from None

    def _login(self, user: str, groups: Iterable[str], lasts: float) -> Login:
        told = tuple(groups)
        names = {normal(each) for each in told} | {firstValue(each) for each in told}
        access = accessOf(each for each in self._settings.maps if _names(each) & names)
        if access is None:
            raise LoginRefused("the user is in no group that has access")
        return Login(user, self.label, told, access, lasts)

    # Keys, and users that are in

    async def _found(self, name: str, entries: list[Entry] | None = None) -> Login:
        """
        Make the login of a user without a password.

        @param entries: gets the entry.
        """

        async def look(talk: Conversation) -> Login:
            await self._serve(talk)
            entry = await self._entryOf(talk, name)
            if entries is not None:
                entries.append(entry)
            groups = self._memberOf(entry)
            if self._settings.groupBase is not None:
                groups = await self._groupsOf(talk, entry.dn)
            return self._login(self._nameOf(entry, name), groups, 0.0)

        return await self._servers.ask(look)

    async def _byKey(self, credentials: SSHPrivateKey) -> Login:
        checkAlgorithm(credentials.algName)
        entries: list[Entry] = []
        login = await self._found(userName(credentials.username), entries)
        lines = entries[-1].values(self._settings.keyAttribute or "")[:MAX_KEYS]
        if credentials.blob not in {publicKeyOfLine(line) for line in lines}:
            raise LoginRefused("the directory has another key")
        checkSignature(credentials)
        return login


def _names(each: AccessMap) -> set[str]:
    group = each.group or ""
    return {normal(group)} if "=" in group else {group.casefold()}


async def _prove(talk: Conversation, dn: str, password: bytes) -> None:
    try:
        await talk.bind(dn, password)
    except ResultError as error:
        if error.code in {messages.BUSY, messages.UNAVAILABLE}:
            raise
        if error.code == messages.INVALID_CREDENTIALS:
            raise LoginRefused("the password is wrong") from None
        raise LoginRefused(f"the directory refuses the password: {error}") from None
