"""
The certificates of one listener, as they are in use and in their files.
"""

from __future__ import annotations

import os
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, keyPEM, newKey, put
from txlb.errors import CertificateError
from txlb.model import ListenTLS
from txlb.tls import RENEW, ListenerStore


class ListenerStoreTests(SynchronousTestCase):
    """
    L{ListenerStore}.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.authority = Authority()
        self.now = time.time()
        self.write("a.pem", "a.example")

    def write(self, file: str, *names: str, key: bytes = b"", **more: Any) -> None:
        pem, own = self.authority.certify(names, **more)
        put(self.folder, file, pem, key or own)

    def store(self, **settings: Any) -> ListenerStore:
        return ListenerStore(ListenTLS(self.folder, **settings), lambda: self.now)

    def reloadedBy(self, store: ListenerStore) -> list[str]:
        """
        Reload, and return the problems.
        """
        store.reload()
        return [str(each) for each in store.problems]

    def test_notDue(self) -> None:
        """
        Nothing is done while the files are as they were, for most of a day.
        """
        store = self.store()
        self.assertFalse(store.isDue)
        self.now += RENEW
        self.assertTrue(store.isDue)
        before = store.contexts
        self.assertEqual(store.reload(), [])
        self.assertIsNot(store.contexts, before)
        self.assertFalse(store.isDue)

    def test_renewed(self) -> None:
        """
        A new certificate takes the place of the old one, and another one keeps the time
        since which it is in use.
        """
        self.write("b.pem", "b.example")
        store = self.store()
        self.now += 100
        self.write("a.pem", "a.example")
        self.assertTrue(store.isDue)
        lines = store.reload()
        self.assertEqual(len(lines), 2)
        self.assertIn("a.example (ECDSA secp256r1, ", lines[0])
        self.assertIn("is in use", lines[0])
        self.assertIn("is no longer in use", lines[1])
        since = {each.certificate.names[0]: self.now - each.since for each in store.inUse}
        self.assertEqual(since, {"a.example": 0, "b.example": 100})

    def test_badPairs(self) -> None:
        """
        A key of another certificate, garbage, half of a file and an expired certificate keep
        the old one and say why. Another certificate is renewed all the same.
        """
        self.write("b.pem", "b.example")
        store = self.store()
        before = store.contexts.certificates
        for number, write in enumerate(
            (
                lambda: self.write("a.pem", "a.example", key=keyPEM(newKey())),
                lambda: put(self.folder, "a.pem", b"garbage"),
                lambda: put(self.folder, "a.pem", self.authority.pem[:200]),
                lambda: self.write("a.pem", "a.example", days=-0.5),
                lambda: self.write("a.pem", "a.example", begins=0.5),
            )
        ):
            write()
            self.write("b.pem", "b.example")
            problems = self.reloadedBy(store)
            self.assertIn("a.pem: ", problems[0])
            a, b = sorted(store.contexts.certificates, key=lambda each: each.names)
            self.assertEqual(a, before[0], number)
            self.assertNotEqual(b, before[1])
        self.write("a.pem", "a.example")
        self.assertEqual(self.reloadedBy(store), [])
        self.assertNotIn(before[0], store.contexts.certificates)

    def test_gone(self) -> None:
        """
        A certificate whose file was removed goes; the last one stays.
        """
        self.write("b.pem", "b.example")
        store = self.store()
        os.remove(os.path.join(self.folder, "b.pem"))
        self.assertEqual(len(store.reload()), 1)
        self.assertEqual(store.contexts.names, ["a.example"])
        os.remove(os.path.join(self.folder, "a.pem"))
        self.assertIn("this folder has no certificates", self.reloadedBy(store)[0])
        self.assertEqual(store.contexts.names, ["a.example"])

    def test_authorities(self) -> None:
        """
        The authorities of clients are read again, and a broken file changes nothing.
        """
        ca = put(self.folder, "ca.txt", self.authority.pem)
        store = self.store(clientCA=ca)
        before = store.contexts
        put(self.folder, "ca.txt", b"broken")
        self.assertTrue(store.isDue)
        self.assertRaises(CertificateError, store.reload)
        self.assertIs(store.contexts, before)
        # It is not tried again and again.
        self.assertFalse(store.isDue)
        self.assertIn("clientCA", str(store.problems[-1]))

    def test_wrongFromTheStart(self) -> None:
        put(self.folder, "b.pem", b"broken")
        error = self.assertRaises(CertificateError, self.store)
        self.assertIn("certificates of TLS: ", str(error))

    def test_states(self) -> None:
        """
        A row tells how long a certificate is good.
        """
        self.write("a.pem", "a.example", days=20)
        (found,) = self.store().inUse
        row = found.asDict(self.now)
        self.assertEqual((row["names"], row["state"]), (["a.example"], "good"))
        for days, state in ((7, "expires soon"), (21, "expired"), (-2, "not valid yet")):
            self.assertEqual(found.asDict(self.now + days * 86400)["state"], state)
