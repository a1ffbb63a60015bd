"""
The contexts of a listener, by the names that clients ask for.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, newKey, put
from txlb.errors import CertificateError
from txlb.model import ListenTLS
from txlb.tls import ServerContext, ServerContexts, readCertificates


class ServerContextsTests(SynchronousTestCase):
    """
    L{ServerContexts}.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.authority = Authority()

    def certify(self, file: str, *names: str, kind: str = "ecdsa", **more: Any) -> None:
        put(self.folder, file, *self.authority.certify(names, newKey(kind), **more))

    def contexts(self, **settings: Any) -> ServerContexts:
        found = readCertificates([self.folder])
        self.assertEqual(found.problems, [])
        listen = ListenTLS(self.folder, **settings)
        return ServerContexts(listen, found.certificates, time.time())

    def file(self, context: ServerContext | None) -> str:
        assert context is not None
        return ", ".join(each.file.rpartition("/")[2] for each in context.certificates)

    def test_choose(self) -> None:
        """
        An exact name goes before a wildcard, which stands for one label; another name gets
        the default, which is the first.
        """
        self.certify("a.pem", "a.example")
        self.certify("b.pem", "*.b.example", "b.example")
        self.certify("c.pem", "x.b.example")
        contexts = self.contexts()
        for name, file in (
            ("a.example", "a.pem"),
            ("b.example", "b.pem"),
            ("y.b.example", "b.pem"),
            ("x.b.example", "c.pem"),
            ("z.y.b.example", "a.pem"),
            ("other.example", "a.pem"),
            (None, "a.pem"),
        ):
            self.assertEqual(self.file(contexts.choose(name)), file, name)
        self.assertEqual(contexts.names, ["*.b.example", "a.example", "b.example", "x.b.example"])
        self.assertEqual(len(list(contexts)), 3)

    def test_refuse(self) -> None:
        """
        Another name is refused if that is configured; a client without a name is not.
        """
        self.certify("a.pem", "a.example")
        contexts = self.contexts(unknownName="refuse")
        self.assertIsNone(contexts.choose("other.example"))
        self.assertEqual(self.file(contexts.choose(None)), "a.pem")

    def test_defaultName(self) -> None:
        self.certify("a.pem", "a.example")
        self.certify("b.pem", "*.b.example")
        for name in ("x.b.example", "*.b.example"):
            self.assertEqual(self.file(self.contexts(defaultName=name).choose(None)), "b.pem")
        error = self.assertRaises(CertificateError, self.contexts, defaultName="c.example")
        self.assertIn("no certificate has that name; there are: *.b.example, a.ex", str(error))

    def test_twoKinds(self) -> None:
        """
        A name has a certificate of each kind of key; one with a large RSA key is slow.
        """
        self.certify("a.pem", "a.example")
        self.certify("b.pem", "a.example", kind="rsa2048")
        context = self.contexts().choose("a.example")
        assert context is not None
        self.assertEqual((self.file(context), context.isSlow), ("a.pem, b.pem", False))

    def test_better(self) -> None:
        """
        Of two with one kind of key the valid one is used, and then the one that expires last.
        """
        self.certify("a.pem", "a.example", days=20)
        self.certify("b.pem", "a.example", days=30)
        self.certify("c.pem", "a.example", days=90, begins=1)
        self.assertEqual(self.file(self.contexts().choose("a.example")), "b.pem")

    def test_none(self) -> None:
        self.certify("a.pem", "a.example")
        error = self.assertRaises(
            CertificateError, ServerContexts, ListenTLS("certs"), [], time.time()
        )
        self.assertIn("there is no certificate with its key in certs", str(error))
