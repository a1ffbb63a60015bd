"""
Tests for L{txlb.admin.login.ldap._names}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ldaptor.protocols.ldap.distinguishedname import DistinguishedName
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.login.ldap._names import escaped, filledIn, firstValue, normal


class NamesTests(SynchronousTestCase):
    def test_filledIn(self) -> None:
        pattern = "uid={user},dc=x"
        self.assertEqual(filledIn(pattern, "anna"), "uid=anna,dc=x")
        self.assertEqual(filledIn(pattern, "a,b=c"), "uid=a\\,b\\=c,dc=x")
        self.assertEqual(filledIn("{user}@example.org", "anna.b"), "anna.b@example.org")
        for user in ("anna@elsewhere", "a\\b", "", "a b"):
            self.assertIsNone(filledIn("{user}@example.org", user))

    @given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20))
    def test_oneValue(self, user: str) -> None:
        """
        Ldaptor reads the value back as it was.
        """
        name = DistinguishedName(f"uid={escaped(user)},dc=x")
        first = name.split()[0].split()[0]
        self.assertEqual((len(name.split()), first.value), (2, user))

    def test_compared(self) -> None:
        self.assertEqual(normal("CN=Ops, OU=Groups,dc=X"), normal("cn=ops,ou=groups,dc=x"))
        self.assertEqual(firstValue("CN=Ops,ou=x"), "ops")
        self.assertEqual(firstValue("cn=a\\,b,ou=x"), "a\\,b")
        self.assertEqual(firstValue("ops"), "")
        self.assertEqual(escaped(" a "), "\\ a\\ ")
