"""
Tests for L{txlb.config._render}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from tests import fewer
from tests.config.documents import (
    PYTHON_DIRECTOR,
    SAMPLE_1_1_0,
    SMALL,
    documents,
    serviceLists,
)
from txlb.config import _configuration, parseConfiguration
from txlb.config import _schema as schema
from txlb.config._render import _set, render
from txlb.config._writtenelement import WrittenElement
from txlb.errors import ConfigurationError
from txlb.manager import ProxyManager
from txlb.model import HealthCheck, Listener, ProxyHost, ProxyService, TCPAddress, UNIXAddress


def comments(data: bytes) -> list[bytes | str | None]:
    root: etree._Element = etree.fromstring(data)
    return [each.text for each in root.getroottree().xpath("//comment()")]


class RenderCase(SynchronousTestCase):
    def check(
        self, before: bytes, change: Callable[[ProxyManager], object], *pairs: tuple[str, str]
    ) -> None:
        """
        Make a change to a running configuration, and see it in the document.

        @param pairs: texts, and what becomes of them.
        """
        configuration = parseConfiguration(before, "c.xml")
        manager = ProxyManager(configuration.services)
        change(manager)
        services = tuple(manager.services.values())
        wanted = before.decode()
        for old, new in pairs:
            self.assertEqual(wanted.count(old), 1, old)
            wanted = wanted.replace(old, new)
        found = configuration.render(services)
        self.assertEqual(found.decode(), wanted)
        self.assertEqual(parseConfiguration(found, "c.xml").services, services)


class RenderTests(RenderCase):
    """
    What changes is what was changed.
    """

    def test_nothing(self) -> None:
        for data in (SMALL, SAMPLE_1_1_0):
            configuration = parseConfiguration(data, "c.xml")
            found = render(data, configuration.root, "c.xml", configuration.services)
            self.assertEqual(found, data)

    def test_addHost(self) -> None:
        self.check(
            SMALL,
            lambda manager: manager.addHost("web", "prod", "h3", "127.0.0.1:7003", 5),
            (
                '7002"/>\n',
                '7002"/>\n      <host name="h3" ip="127.0.0.1:7003" weight="5"/>\n',
            ),
        )

    def test_delHost(self) -> None:
        self.check(
            SMALL,
            lambda manager: manager.delHost("web", "prod", "h1"),
            ('      <host name="h1" ip="127.0.0.1:7001"/>\n', ""),
        )

    def test_lastHost(self) -> None:
        def change(manager: ProxyManager) -> None:
            manager.delHost("web", "prod", "h1")
            manager.delHost("web", "prod", "h2")

        self.check(
            SMALL,
            change,
            ('\n      <host name="h1" ip="127.0.0.1:7001"/>', ""),
            ('\n      <host name="h2" ip="127.0.0.1:7002"/>', ""),
        )

    def test_setWeight(self) -> None:
        """
        A weight is written where there was none, and never taken away.
        """
        self.check(
            SMALL,
            lambda manager: manager.setWeight("web", "prod", "h1", 0),
            ('7001"/>', '7001" weight="0"/>'),
        )
        self.check(
            SAMPLE_1_1_0,
            lambda manager: manager.setWeight("proxy1", "prod", "host2", 1),
            ('weight="3"', 'weight="1"'),
        )

    def test_setAdmission(self) -> None:
        """
        Networks get a line each, those of who may come in first.
        """
        lists = (
            '    <allow network="10.0.0.0/8"/>\n'
            '    <allow network="unix"/>\n'
            '    <deny network="10.1.0.0/16"/>\n'
        )
        self.check(
            SMALL,
            lambda manager: manager.setAdmission(
                "web", allow=["10.0.0.0/8", "unix"], deny=["10.1.0.0/16"], ratePerClient=0.5
            ),
            ('<service name="web">', '<service name="web" ratePerClient="0.5">'),
            (
                '8080"/>\n',
                f'8080"/>\n{lists}',
            ),
        )
        one, other = '    <allow network="::1"/>\n', '    <!-- us --><allow network="::2"/>\n'
        group = '    <group name="prod"'
        self.check(
            SMALL.decode().replace(group, one + other + group).encode(),
            lambda manager: manager.setAdmission("web", allow=["::2"]),
            (one, ""),
        )

    def test_setScheduler(self) -> None:
        self.check(
            SAMPLE_1_1_0,
            lambda manager: manager.setScheduler("proxy1", "test", "rand"),
            ('name="test" scheduler="leastc"', 'name="test" scheduler="rand"'),
        )

    def test_switchGroup(self) -> None:
        self.check(
            SAMPLE_1_1_0,
            lambda manager: manager.switchGroup("proxy1", "prod", "test"),
            ('enable="true">\n      <host name="host1" ip="127.0.0.1:7001" weight="1"',
             'enable="false">\n      <host name="host1" ip="127.0.0.1:7001" weight="1"'),
            ('scheduler="leastc">', 'scheduler="leastc" enable="true">'),
        )  # fmt: skip

    def test_units(self) -> None:
        """
        A time that is written with a unit stays so, and one that is not gets none.
        """
        data = SMALL.replace(b'name="web"', b'name="web" connectTimeout="1m" idleTimeout="60"')

        def change(manager: ProxyManager) -> None:
            service = manager.getService("web")
            manager.apply([replace(service, connectTimeout=1.5, idleTimeout=90.0, finTimeout=7.0)])

        self.check(
            data, change, ('"1m" idleTimeout="60"', '"1500ms" idleTimeout="90" finTimeout="7"')
        )

    def test_moveListener(self) -> None:
        self.check(
            SAMPLE_1_1_0,
            lambda manager: manager.listenerMoved("proxy1", 1, TCPAddress("::1", 99)),
            ("127.0.0.1:8081", "[::1]:99"),
        )

    def test_listenerOptions(self) -> None:
        """
        Lists are written with spaces between their parts; an option with its default goes.
        """
        data = SMALL.replace(
            b'127.0.0.1:8080"', b'127.0.0.1:8080" proxyProtocol="v1  v2" trusted="192.0.2.1"', 1
        )

        def change(manager: ProxyManager) -> None:
            service = manager.getService("web")
            [listener] = service.listeners
            listener = replace(
                listener,
                trusted="192.0.2.1 ::1",
                serverNames="a.example *.b.example",
                prefaceTimeout=2.5,
                plain=True,
            )
            manager.apply([replace(service, listeners=[listener])])

        added = 'prefaceTimeout="2.5" serverNames="a.example *.b.example" plain="true"'
        self.check(data, change, ('trusted="192.0.2.1"', f'trusted="192.0.2.1 ::1" {added}'))

    def test_pythonDirector(self) -> None:
        """
        Its element goes on to say which group it is, and its words stay.
        """
        self.check(
            PYTHON_DIRECTOR,
            lambda manager: manager.switchGroup("loadbalanced", "two", "one"),
            ('<enable group="two"/>', '<enable group="one"/>'),
        )

    def test_enabledInBothWays(self) -> None:
        """
        The attribute must not say otherwise.
        """
        data = PYTHON_DIRECTOR.replace(b'"leastconnsrr"', b'"leastconnsrr" enable="on"')
        self.check(
            data,
            lambda manager: manager.switchGroup("loadbalanced", "two", "one"),
            ('<enable group="two"/>', '<enable group="one"/>'),
            ('enable="on"', 'enable="off"'),
        )

    def test_namelessHosts(self) -> None:
        """
        Names that were counted are written once counting would give others.
        """
        self.check(
            PYTHON_DIRECTOR,
            lambda manager: manager.setWeight("loadbalanced", "two", "host.2", 3),
            ('<host ip="127.0.0.1:9001"', '<host ip="127.0.0.1:9001" weight="3"'),
        )
        self.check(
            PYTHON_DIRECTOR,
            lambda manager: manager.delHost("loadbalanced", "two", "host.2"),
            ('      <host ip="127.0.0.1:9001"/>\n', ""),
            ('<host ip="127.0.0.1:9003"', '<host ip="127.0.0.1:9003" name="host.3"'),
        )

    def test_unsetLimit(self) -> None:
        """
        A limit that is none any more is taken out.
        """
        data = SMALL.replace(b'7001"', b'7001" maxConnections="5"')
        (service,) = parseConfiguration(SMALL, "c.xml").services
        found = parseConfiguration(data, "c.xml").render([service])
        self.assertEqual(found, SMALL)

    def test_newService(self) -> None:
        """
        It is written in full, as far as it isn't a default.
        """
        configuration = parseConfiguration(SMALL, "c.xml")
        (web,) = configuration.services
        host = ProxyHost.at("ä", "unix:/run/a", 2)
        group = replace(web.groups[0], name="g", hosts=[host], scheduler="rand", sendProxy="v2")
        other = ProxyService("new", ["*:90", "unix:/run/b"], [group], retries=0)
        found = configuration.render([web, other])
        self.assertEqual(
            found.decode(),
            SMALL.decode().replace(
                "</config>",
                """\
  <service name="new" retries="0">
    <listen ip="*:90"/>
    <listen ip="unix:/run/b"/>
    <group name="g" scheduler="rand" enable="true" sendProxy="v2">
      <host name="ä" ip="unix:/run/a" weight="2"/>
    </group>
  </service>
</config>""",
            ),
        )

    def test_permissions(self) -> None:
        """
        What a UNIX socket has beside its path is written as far as it isn't a default,
        and goes when the listener moves elsewhere.
        """
        listen = b'<listen ip="127.0.0.1:8080"/>'
        configuration = parseConfiguration(SMALL, "c.xml")
        (web,) = configuration.services
        ours = replace(web, listeners=(Listener(UNIXAddress("/run/a", mode=0o660, group="0")),))
        found = configuration.render([ours])
        written = b'<listen ip="unix:/run/a" mode="0660" group="0"/>'
        self.assertEqual(found, SMALL.replace(listen, written))
        again = parseConfiguration(found, "c.xml")
        self.assertEqual(again.services, (ours,))
        self.assertEqual(again.render([web]), SMALL)
        changed = replace(ours, listeners=(Listener(UNIXAddress("/run/a", user="0")),))
        self.assertEqual(
            again.render([changed]),
            SMALL.replace(listen, b'<listen ip="unix:/run/a" mode="0600" user="0"/>'),
        )

    def test_notXML(self) -> None:
        """
        Some texts can't be written in XML.
        """
        configuration = parseConfiguration(SMALL, "c.xml")
        service = configuration.services[0]
        check = HealthCheck("tls", options={"caFile": "/\x01.pem"})
        service = replace(service, groups=(replace(service.groups[0], check=check),))
        error = self.assertRaises(ConfigurationError, configuration.render, [service])
        self.assertIn("this can't be written to a file", str(error))

    def test_attributeOfNothing(self) -> None:
        """
        Only what the schema knows is ever written.
        """
        element = WrittenElement("host")
        self.assertRaises(KeyError, _set, element, schema.HOST, None, "colour", "red")


#: A file as few would write it, in which each line shows a way to write something.
ODD = """\
<?xml version='1.0' encoding="utf-8"?>\r
<!-- DOCTYPE -->\r
<config>\r
\t<service\r
\t\tname = 'web'\r
\t\tretries="03">\r
\t\t<listen ip='127.0.0.1&#58;8080' /><!-- one -->\r
\t\t<group name="prod" enable='ON'\r
\t\t       scheduler="&#x6C;eastc"\r
\t\t>\r
\t\t\t<!-- Ä -->\r
\t\t\t<host name="a &amp; b"\tip="h:1"  weight="02"></host >\r
\r
\t\t\t<host name='c' ip='h:2'/> <!-- C -->\r
\t\t</group>\r
\t</service >\r
</config><!-- end -->\r
"""


class OddTests(SynchronousTestCase):
    """
    What was changed is all that has changed, however the rest is written. A tree that was
    read and written again would have none of these lines as it was.
    """

    def odd(self, change: Callable[[ProxyManager], object], *pairs: tuple[str, str]) -> None:
        """
        Check it in several encodings, with and without a byte order mark.

        @param pairs: texts, and what becomes of them.
        """
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "iso-8859-1"):
            text = ODD.replace("utf-8", encoding.removesuffix("-sig").removesuffix("-be"))
            configuration = parseConfiguration(text.encode(encoding), "c.xml")
            manager = ProxyManager(configuration.services)
            change(manager)
            for old, new in pairs:
                self.assertEqual(text.count(old), 1, old)
                text = text.replace(old, new)
            found = configuration.render(manager.services.values())
            self.assertEqual(found.decode(encoding), text)
            self.assertEqual(found, text.encode(encoding))

    def test_nothing(self) -> None:
        """
        A change to what is there already is none.
        """
        self.odd(lambda manager: manager.setWeight("web", "prod", "a & b", 2))

    def test_setWeight(self) -> None:
        self.odd(
            lambda manager: manager.setWeight("web", "prod", "a & b", 3),
            ('weight="02"', 'weight="3"'),
        )
        self.odd(
            lambda manager: manager.setWeight("web", "prod", "c", 3),
            ("ip='h:2'/>", "ip='h:2' weight='3'/>"),
        )

    def test_state(self) -> None:
        self.odd(
            lambda manager: manager.drain("web", "prod", "c"),
            ("ip='h:2'/>", "ip='h:2' state='drain'/>"),
        )

    def test_onLinesOfTheirOwn(self) -> None:
        """
        An attribute that is new gets a line of its own if the last one has one.
        """
        self.odd(
            lambda manager: manager.setAdmission("web", ratePerClient=0.5),
            ('retries="03"', 'retries="03"\r\n\t\tratePerClient="0.5"'),
        )
        self.odd(
            lambda manager: manager.setScheduler("web", "prod", "rand"),
            ("&#x6C;eastc", "rand"),
        )

    def test_addHost(self) -> None:
        """
        It ends its line as the file does, and stands as deep as the others. The comment
        beside the last host stays beside it.
        """
        self.odd(
            lambda manager: manager.addHost("web", "prod", "d", "h:3", 5),
            (
                "<!-- C -->\r\n",
                '<!-- C -->\r\n\t\t\t<host name="d" ip="h:3" weight="5"></host>\r\n',
            ),
        )

    def test_delHost(self) -> None:
        """
        Its line goes, and nothing else.
        """
        self.odd(
            lambda manager: manager.delHost("web", "prod", "c"),
            ("\t\t\t<host name='c' ip='h:2'/> <!-- C -->\r\n", ""),
        )
        self.odd(
            lambda manager: manager.delHost("web", "prod", "a & b"),
            ('\t\t\t<host name="a &amp; b"\tip="h:1"  weight="02"></host >\r\n', ""),
        )

    def test_moveListener(self) -> None:
        self.odd(
            lambda manager: manager.listenerMoved("web", 0, TCPAddress("::1", 99)),
            ("127.0.0.1&#58;8080", "[::1]:99"),
        )

    def test_newLevel(self) -> None:
        """
        What comes inside of a host that had nothing inside gets a line, as deep as a level
        of the file is.
        """

        def change(manager: ProxyManager) -> None:
            service = manager.getService("web")
            group = service.groups[0]
            host = replace(group.hosts[1], check=HealthCheck("tcp", 3.0))
            group = replace(group, hosts=(group.hosts[0], host))
            manager.apply([replace(service, groups=(group,))])

        self.odd(
            change,
            (
                "ip='h:2'/>",
                "ip='h:2'>\r\n\t\t\t\t<check interval='3'/>\r\n\t\t\t</host>",
            ),
        )


class VariantTests(RenderCase):
    """
    Checks that become checks of another kind.
    """

    def test_shared(self) -> None:
        """
        What both kinds have stays where it is. What only the first has goes.
        """
        check = '<check\n  tls="yes" path="/a" type="http" serverName="b"/>'
        data = SMALL.replace(b'<host name="h1"', check.encode() + b'<host name="h1"')

        def change(manager: ProxyManager) -> None:
            service = manager.getService("web")
            own = HealthCheck("tls", options={"serverName": "b"})
            group = replace(service.groups[0], check=own)
            manager.apply([replace(service, groups=(group,))])

        self.check(data, change, ('\n  tls="yes" path="/a" type="http"', ' type="tls"'))


class WrittenWronglyTests(SynchronousTestCase):
    def test_notWhatIsWanted(self) -> None:
        """
        Nothing is saved that would say something else than what is to be saved.
        """
        self.patch(_configuration, "render", lambda data, *_: data)
        configuration = parseConfiguration(SMALL, "/c.xml")
        service = replace(configuration.services[0], retries=7)
        error = self.assertRaises(ConfigurationError, configuration.render, [service])
        self.assertEqual(str(error), "/c.xml: a file can't say this: service web: retries 7 -> 3")


class RandomTests(SynchronousTestCase):
    """
    Whatever is changed.
    """

    @fewer(0.5)
    @given(documents())
    def test_unchanged(self, each: tuple[bytes, list[ProxyService]]) -> None:
        """
        Services that are those of the file leave it as it is, to the last byte.
        """
        data, services = each
        root = parseConfiguration(data, "c.xml").root
        self.assertEqual(render(data, root, "c.xml", services), data)

    @fewer(0.5)
    @given(documents(), serviceLists())
    def test_changed(
        self, each: tuple[bytes, list[ProxyService]], wanted: Sequence[ProxyService]
    ) -> None:
        """
        The document says exactly the other services, and changed back it says
        the first ones again; comments outside of services stay.
        """
        data, services = each
        found = parseConfiguration(data, "c.xml").render(wanted)
        configuration = parseConfiguration(found, "c.xml")
        self.assertEqual(list(configuration.services), list(wanted))
        again = parseConfiguration(configuration.render(services), "c.xml")
        self.assertEqual(list(again.services), services)
        self.assertTrue(set(comments(found)) <= set(comments(data)))
