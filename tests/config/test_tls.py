"""
TLS of listeners and hosts in a configuration file.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import txlb.application  # noqa: F401 - makes the words of checks and probes known
from tests.certificates import Authority, put
from txlb.config import loadConfiguration
from txlb.config._explain import explainConfiguration
from txlb.errors import ConfigurationError
from txlb.model import HostTLS, ListenTLS


class TLSTests(SynchronousTestCase):
    """
    C{<tls>} in C{<listen>}, and the attributes of hosts and groups.
    """

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.certs = os.path.join(self.folder, "certs")
        self.authority = Authority()
        put(self.certs, "a.pem", *self.authority.certify(["a.example"]))
        self.ca = put(self.folder, "ca.crt", self.authority.pem)

    def load(self, listen: str = "", group: str = "", host: str = "") -> Any:
        text = f"""\
<config>
  <service name="web">
    <listen ip="127.0.0.1:443">{listen}</listen>
    <group name="g" enable="yes" {group}>
      <host name="h" ip="127.0.0.1:1" {host}/>
      <host name="i" ip="127.0.0.1:2"/>
    </group>
  </service>
</config>
"""
        return loadConfiguration(put(self.folder, "lb.xml", text.encode()))

    def problems(self, **parts: str) -> list[str]:
        error = self.assertRaises(ConfigurationError, self.load, **parts)
        return [str(each) for each in error.problems]

    def notes(self, **parts: str) -> list[str]:
        return [str(each) for each in self.load(**parts).notes]

    def test_listener(self) -> None:
        """
        Relative paths begin at the folder of the file.
        """
        found = self.load('<tls certificates="certs" alpn="h2 http/1.1" clientCA="ca.crt"/>')
        (service,) = found.services
        expected = ListenTLS(self.certs, alpn="h2 http/1.1", clientCA=self.ca)
        self.assertEqual(service.listeners[0].tls, expected)
        self.assertRegex(explainConfiguration(found), f"certificates +{self.certs}\n")

    def test_hosts(self) -> None:
        (service,) = self.load(
            group='tls="yes" ca="ca.crt"', host='serverName="a.example" verify="no"'
        ).services
        group = service.groups[0]
        self.assertEqual(group.tls, HostTLS(ca=self.ca))
        self.assertEqual(group.hosts[0].tls, HostTLS(on=None, serverName="a.example", verify=False))
        self.assertIsNone(group.hosts[1].tls)

    def test_unchanged(self) -> None:
        """
        A file is not edited if nothing of it has changed, whatever its paths look like.
        """
        found = self.load('<tls certificates="certs"/>', 'tls="yes" ca="ca.crt"')
        self.assertEqual(found.render(found.services), found.tostring())

    def test_edited(self) -> None:
        """
        Live changes are written, and read again.
        """
        found = self.load('<tls certificates="certs"/>', 'tls="yes" ca="ca.crt"')
        (service,) = found.services
        (group,) = service.groups
        (listener,) = service.listeners
        tls = HostTLS(on=False)
        for wanted in (
            replace(service, listeners=(replace(listener, tls=None),)),
            replace(
                service, listeners=(replace(listener, tls=replace(listener.tls, alpn=("h2",))),)
            ),
            replace(service, groups=(replace(group, tls=None),)),
            replace(service, groups=(replace(group, tls=HostTLS(ca=self.ca, verify=False)),)),
            replace(
                service,
                groups=(
                    replace(group, hosts=(replace(group.hosts[0], tls=tls), *group.hosts[1:])),
                ),
            ),
        ):
            self.assertEqual(found.edited([wanted]).services, (wanted,))
        plain = self.load()
        self.assertEqual(plain.edited([service]).services, (service,))

    def test_wrongListener(self) -> None:
        """
        A fault has the line of its element.
        """
        stray = put(self.folder, "stray.pem", Authority().certify(["b.example"])[0])
        readable = put(self.folder, "readable.pem", *self.authority.certify(["c"]), mode=0o644)
        os.makedirs(os.path.join(self.folder, "empty"))
        for listen, message in (
            ("<tls/>", r"<tls> has no attribute certificates"),
            ('<tls certificates="empty"/>', "empty: this folder has no certificates"),
            ('<tls certificates="none.pem"/>', "none.pem: No such file"),
            ('<tls certificates="stray.pem"/>', f"{stray}: the certificate in it has no key"),
            ('<tls certificates="readable.pem"/>', f"chmod 0600 {readable}"),
            ('<tls certificates="certs" crl="ca.crt"/>', "has no effect without clientCA"),
            ('<tls certificates="certs" clientCA="none"/>', "clientCA is "),
            ('<tls certificates="certs" defaultName="b.example"/>', "no certificate has that name"),
            ('<tls certificates="certs" profile="old"/>', "it is intermediate or modern"),
        ):
            problem = self.problems(listen=listen)[0]
            self.assertIn(message, problem)
            self.assertIn("lb.xml:3: ", problem)

    def test_wrongHost(self) -> None:
        (problem,) = self.problems(host='tls="yes" ca="none.crt"')
        self.assertIn("lb.xml:5: host 'h': ca is ", problem)

    def test_notes(self) -> None:
        """
        What is right and may be meant otherwise is noted.
        """
        put(self.folder, "old.pem", *self.authority.certify(["old.example"], days=-0.5))
        put(self.folder, "new.pem", *self.authority.certify(["new.example"], begins=0.5))
        put(self.folder, "soon.pem", *self.authority.certify(["soon.example"], days=3.5))
        for name, message in (
            ("old", "the certificate for old.example has expired"),
            ("new", "the certificate for new.example is not valid yet"),
            ("soon", "the certificate for soon.example expires in 3 days"),
        ):
            (note,) = self.notes(listen=f'<tls certificates="{name}.pem"/>')
            self.assertIn(message, note)
        (note,) = self.notes(host='tls="yes" verify="no"')
        self.assertIn("host 'h' has verify=", note)
        (note,) = self.notes(host='ca="ca.crt"')
        self.assertIn("ca of host 'h' has no effect; write tls=", note)
        (note,) = self.notes(group='verify="no"')
        self.assertIn("verify of group 'g' has no effect", note)
        self.assertEqual(self.notes(group='ca="ca.crt"', host='tls="yes"'), [])


class IdleNamesTests(SynchronousTestCase):
    """
    Names of certificates for which no client comes.
    """

    def notes(self, names: list[str], *serverNames: str) -> list[str]:
        """
        @return: the notes on services that share an address and a certificate.
        """
        folder = os.path.abspath(self.mktemp())
        put(os.path.join(folder, "certs"), "a.pem", *Authority().certify(names))
        services = "".join(
            f"""
  <service name="s{number}">
    <listen ip="127.0.0.1:443" {each}>
      <tls certificates="certs"/>
    </listen>
    <group name="g" enable="yes"><host name="h" ip="127.0.0.1:1"/></group>
  </service>"""
            for number, each in enumerate(serverNames)
        )
        path = put(folder, "lb.xml", f"<config>{services}\n</config>\n".encode())
        found = [str(each) for each in loadConfiguration(path).notes]
        self.bare = [each for each in found if " serverNames has " in each]
        found = [each for each in found if each not in self.bare]
        self.assertTrue(all(each.startswith(f"{path}:4: ") for each in found), found)
        return [
            each.partition(": the certificate is for ")[2].partition(", but")[0] for each in found
        ]

    def test_uncertified(self) -> None:
        """
        A name of C{serverNames} is noted for which there is no certificate.
        """
        names = ["a.example", "*.b.example", "d.c.example"]
        for asked, bare in (
            ("A.example *.b.example x.b.example *.c.example *.example", ""),
            ("a.example x.example x.y.b.example", "x.example, x.y.b.example"),
            ("*.a.example *.d.c.example", "*.a.example, *.d.c.example"),
            (" ".join(f"{each}.x" for each in "abcdefg"), "a.x, b.x, c.x, d.x, e.x and 2 more"),
        ):
            self.notes(names, f'serverNames="{asked}"')
            end = ", and no certificate here is for that; clients that ask for it get a certificate"
            self.assertEqual(len(self.bare), bool(bare), self.bare)
            for each in self.bare:
                self.assertIn(f"lb.xml:4: serverNames has {bare}{end}", each)

    def test_some(self) -> None:
        """
        The certificate has names that serverNames leave out.
        """
        names = ["a.example", "www.a.example", "b.example", "127.0.0.1"]
        for asked, idle in (
            (['serverNames="a.example"'], ["www.a.example, b.example"]),
            (['serverNames="a.example"', 'serverNames="b.example"'], ["www.a.example"]),
            (['serverNames="a.example *.a.example B.example"'], []),
            (['serverNames="a.example *.example"'], []),
            (['serverNames="a.example"', ""], []),
            ([""], []),
        ):
            self.assertEqual(self.notes(names, *asked), idle, asked)

    def test_wildcards(self) -> None:
        """
        A wildcard of a certificate stands for one label, and one of serverNames for any.
        """
        for asked, idle in (
            ("*.a.example", []),
            ("*.example", []),
            ("x.a.example", []),
            ("a.example", ["*.a.example"]),
            ("x.y.a.example", ["*.a.example"]),
            ("*.x.a.example", ["*.a.example"]),
        ):
            found = self.notes(["*.a.example"], f'serverNames="{asked}"')
            self.assertEqual(found, idle, asked)

    def test_many(self) -> None:
        """
        Five are named.
        """
        names = [f"{letter}.example" for letter in "abcdefg"]
        found = self.notes(names, 'serverNames="x.example"')
        self.assertEqual(found, [f"{', '.join(names[:5])} and 2 more"])
