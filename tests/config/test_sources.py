"""
Tests for L{txlb.config._sources} and the values that it makes.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txlb.config import (
    AccessMap,
    CheckerSource,
    Configuration,
    LDAPSource,
    RADIUSSource,
    accessOf,
    parseConfiguration,
)
from txlb.errors import ConfigurationError, ModelError
from txlb.model import TCPAddress

FILE = """\
<config>
<service name="web"><listen ip="127.0.0.1:8080"/>
<group name="g" scheduler="leastc" enable="true"><host name="h" ip="127.0.0.1:1"/></group>
</service>
<admin>{}
</admin>
</config>
"""

LDAP = """
<ldap url="ldaps://a ldaps://b:99" searchBase="dc=x" bindDN="cn=x" bindPasswordFile="pw">
<map group="ops" access="operator"/><map group="cn=all,dc=x" access="readonly"/></ldap>"""
RADIUS = """
<radius servers="192.0.2.1 [2001:db8::1]:99 radius.example" secretFile="/s" attribute="9/1">
<map value="x" access="full"/></radius>"""
USER = """
<user name="anna" authorizedKeys="/k" access="full"/>"""


def read(admin: str) -> Configuration:
    return parseConfiguration(FILE.format(admin).encode(), "/etc/txlb/txlb.xml")


class SourcesTests(SynchronousTestCase):
    def problems(self, admin: str) -> list[str]:
        error = self.assertRaises(ConfigurationError, read, admin)
        return [str(each) for each in error.problems]

    def test_all(self) -> None:
        config = read(f'{LDAP}{USER}{RADIUS}<checker spec="unix" access="readonly"/>')
        ldap, radius, checker = config.admin.sources
        self.assertEqual(config.admin.usersAt, 1)
        assert isinstance(ldap, LDAPSource)
        self.assertEqual(ldap.url, ("ldaps://a", "ldaps://b:99"))
        self.assertEqual(ldap.maps[0], AccessMap("operator", group="ops"))
        self.assertEqual(Path(ldap.bindPasswordFile or "").name, "pw")
        self.assertTrue(Path(ldap.bindPasswordFile or "").is_absolute())
        assert isinstance(radius, RADIUSSource)
        self.assertEqual(
            radius.servers,
            (
                TCPAddress("192.0.2.1", 1812),
                TCPAddress("2001:db8::1", 99),
                TCPAddress("radius.example", 1812),
            ),
        )
        self.assertEqual(checker, CheckerSource("unix", "readonly"))
        notes = [str(note) for note in config.notes]
        self.assertTrue(any("bindPasswordFile of <ldap> is not there yet" in n for n in notes))

    def test_order(self) -> None:
        self.assertEqual(read(f"{USER}{LDAP}").admin.usersAt, 0)
        self.assertEqual(read(LDAP).admin.usersAt, 0)
        self.assertEqual(read("").admin.sources, ())

    def test_wrong(self) -> None:
        ldap, radius = '<ldap url="ldaps://a" ', '<radius servers="'
        group = '><map group="a" access="full"/></ldap>'
        value = '<map value="a" access="full"/></radius>'
        base = 'searchBase="dc=x"'
        for admin, words in (
            (f'<ldap url="ldap://a" {base}{group}', "clear"),
            (f"{ldap}{group}", "either searchBase"),
            (f'<ldap url="http://a" {base}{group}', "no URL"),
            (f"{ldap}{base}/>", "has no <map>"),
            (f'{ldap}{base}><map value="a" access="full"/></ldap>', "has group"),
            (f'{ldap}{base}><map access="full"/></ldap>', "has group"),
            (f'<ldap url="" {base}{group}', "no server"),
            (f'{ldap}startTLS="yes" {base}{group}', "startTLS is for ldap://"),
            (f'{ldap}bindPattern="uid=x"{group}', "{user}"),
            (f'{ldap}{base} bindDN="x"{group}', "without bindPasswordFile"),
            (f'{ldap}{base} bindPasswordFile="x"{group}', "without bindDN"),
            (f'{ldap}bindPattern="uid={{user}}" keyAttribute="x"{group}', "takes a search"),
            (f'{radius}unix:/x" secretFile="s">{value}', "no address of a RADIUS server"),
            (f'{radius}" secretFile="s">{value}', "no server"),
            (f'{radius}x" secretFile="s"><map group="a" access="full"/></radius>', "has value"),
            (f'{radius}x">{value}', "no attribute secretFile"),
            ('<checker spec="unix" access="root"/>', "access"),
            ('<checker spec="" access="full"/>', "spec"),
        ):
            found = self.problems(admin)
            self.assertTrue(any(words in each for each in found), (admin, found))
            self.assertTrue(all(each.startswith("/etc/txlb/txlb.xml:") for each in found))

    def test_changes(self) -> None:
        """
        Another source is a change that a reload takes up.
        """
        plan = read(LDAP).planTo(read(RADIUS))
        (change,) = plan.changes
        self.assertFalse(change.restart)
        self.assertIn("sources", str(change))
        self.assertEqual(read(LDAP).planTo(read(LDAP)).changes, ())

    def test_access(self) -> None:
        maps = [AccessMap("readonly", group="a"), AccessMap("full", group="b")]
        self.assertEqual(accessOf(maps), "full")
        self.assertIsNone(accessOf([]))
        self.assertRaises(ModelError, AccessMap, "root", group="x")
