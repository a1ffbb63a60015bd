"""
Tests for L{txlb.config._explain}.
"""

from __future__ import annotations

import os
import re

from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import PYTHON_DIRECTOR, SAMPLE_1_1_0, SMALL
from txlb.config import _schema as schema
from txlb.config import explainConfiguration, parseConfiguration
from txlb.config._element import walk
from txlb.config._tls import HOST_TLS_WORDS


def explain(data: bytes) -> list[str]:
    return explainConfiguration(parseConfiguration(data, "c.xml")).splitlines()


def squeeze(line: str) -> str:
    return re.sub(r"(?<=\S)  +", "  ", line)


#: The elements of which version 1.1.0 had none.
_ABSENT = {
    schema.CHECK,
    schema.RESOURCE,
    schema.CLONES,
    schema.DISCOVER,
    schema.EVENTS,
    schema.TLS,
    schema.TOKEN,
    schema.LDAP,
    schema.RADIUS,
    schema.CHECKER,
    schema.MAP,
    schema.CLUSTER,
}


class ExplainTests(SynchronousTestCase):
    def test_times(self) -> None:
        """
        Whatever their unit is in the file, they are shown in seconds, to be compared.
        """
        lines = explain(SMALL.replace(b'name="web"', b'name="web" connectTimeout="1500ms"'))
        self.assertIn("    connectTimeout  1.5 s", map(squeeze, lines))

    def test_small(self) -> None:
        """
        Everything, from the outside in, with what is a default marked.
        """
        self.assertEqual(
            explain(SMALL),
            f"""\
{os.path.abspath("c.xml")}
  service web (line 2)
    maxConnections           10000              default
    connectTimeout           5 s                default
    dialTimeout              10 s               default
    retries                  3                  default
    idleTimeout              3600 s             default
    finTimeout               60 s               default
    resolveInterval          30 s               default
    relay                    auto               default
    maxConnectionsPerClient  no limit           default
    ratePerClient            no limit           default
    burstPerClient           those of a second  default
    listen (line 3)
      ip                    127.0.0.1:8080
      proxyProtocol         no header is read  default
      trusted               none               default
      prefaceTimeout        5 s                default
      maxPrefacesPerClient  200                default
      deferAccept           false              default
      serverNames           any name           default
      alpn                  any protocol       default
      plain                 false              default
      tls: none
    group prod (line 4)
      scheduler     leastc     default
      enable        true
      passiveFall   1          default
      whenAllDown   try        default
      sendProxy     no header  default
      passTLVs      false      default
      initialState  up         default
      expectAnswer  false      default
      answerFall    5          default
      flapHold      60 s       default
      whenDown      keep       default
      maxQueue      0 (none)   default
      queueTimeout  5 s        default
      maxPending    1024       default
      backup        false      default
      minimumUp     1          default
      holdDown      10 s       default
      boundedLoad   0 (off)    default
      choices       2          default
      decay         10 s       default
      slowStart     0 s (off)  default
      host h1 (line 5)
        ip              127.0.0.1:7001
        weight          1               default
        maxConnections  no limit        default
        state           ready           default
        backup          false           default
      host h2 (line 6)
        ip              127.0.0.1:7002
        weight          1               default
        maxConnections  no limit        default
        state           ready           default
        backup          false           default
      check: none
      resource: none
      clones: none
      discover: none
  admin: none
  manager
    graceTime  10 s  default
    maxChecks  100   default
  control: none
  logging: none
  events: none
  cluster: none
""".splitlines(),
        )

    def test_everyAttribute(self) -> None:
        """
        Each attribute that has an effect, and each that is written, is there.
        """
        lines = explain(SAMPLE_1_1_0)
        optional = {schema.ENABLE, schema.ALLOW, schema.DENY}
        words = {line.split()[0] for line in lines[1:]}
        for element, _ in walk(schema.CONFIG):
            if element in _ABSENT:
                continue
            for attribute in element.attributes:
                # The latter three are of UNIX sockets, of which there is none.
                if element not in optional and attribute.name not in {
                    "name", "listen", "mode", "user", "group"
                } | HOST_TLS_WORDS:  # fmt: skip
                    self.assertIn(attribute.name, words)
        self.assertIn("hostCheckInterval", words)

    def test_listener(self) -> None:
        """
        A UNIX socket has permissions, and nothing else has.
        """
        data = SMALL.replace(b"<group", b'<listen ip="unix:/run/a" mode="660"/>\n<group', 1)
        lines = [squeeze(line.strip()) for line in explain(data)]
        place = lines.index("ip  127.0.0.1:8080")
        self.assertEqual(
            [each for each in lines[place : place + 21] if not each.endswith("default")],
            ["ip  127.0.0.1:8080", "tls: none", "listen (line 4)", "ip  unix:/run/a", "mode  0660"],
        )
        place = lines.index("mode  0660")
        self.assertEqual(
            lines[place : place + 3],
            [
                "mode  0660",
                "user  the user of the process  default",
                "group  the group that a new file has there  default",
            ],
        )

    def test_password(self) -> None:
        """
        Hashes are not shown.
        """
        text = "\n".join(explain(SAMPLE_1_1_0))
        self.assertNotIn("..xpoEyRReGzk", text)
        self.assertIn("(an old crypt hash)", text)

    def test_pythonDirector(self) -> None:
        """
        Words and switches are as they are understood, names as they are counted.
        """
        lines = [squeeze(line.strip()) for line in explain(PYTHON_DIRECTOR)]
        self.assertIn("scheduler  leastc", lines)
        self.assertIn("enable  true  by <enable>", lines)
        self.assertIn("enable  false  default", lines)
        self.assertIn("enable (line 12)", lines)
        self.assertIn("host host.2 (line 8)", lines)
        self.assertIn("listen  127.0.0.1:7001", lines)

    def test_partlyThere(self) -> None:
        data = SMALL.replace(b"</config>", b'<manager graceTime="0"/><admin/></config>')
        lines = [squeeze(line) for line in explain(data)]
        self.assertIn("    graceTime  0 s", lines)
        self.assertIn("    ssh: none", lines)
        self.assertIn("    web: none", lines)
        self.assertIn("    heartbeat: none", lines)
