"""
Tests for L{txlb.application._plugins}; real packages are in
C{tests.integration.test_plugins}.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.logger import LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import twisted.plugins
from tests.application.balancers import ServiceCase
from tests.proxy.fakes import logOf
from tests.registries import keepRegistries
from txlb.application import _plugins, discoverPlugins, listSchedulers
from txlb.config import explainConfiguration, parseConfiguration
from txlb.errors import ConfigurationError, UnknownName
from txlb.health import checkKinds, getCheckKind
from txlb.interfaces import IHealthCheckKind, IResourceProbePlugin, ISchedulerPlugin
from txlb.model import HealthCheck, ResourceProbe
from txlb.resources import getProbeKind, makeProbe, probeKinds
from txlb.schedulers import (
    canonicalWord,
    schedulerFactory,
    schedulerKinds,
    schedulerWords,
)

RIGHT = """\
from txlb.schedulers import Random, SchedulerKind
right = again = SchedulerKind("mine", Random, summary="any", wants=["seconds"][:0])
"""
FOREIGN = """\
from zope.interface import implementer
from txlb.interfaces import ISchedulerPlugin
from txlb.schedulers import Random

@implementer(ISchedulerPlugin)
class Foreign:
    word, maker, summary, chooseWhen, wants, maxHosts = "foreign", Random, "any", "", [], 7

foreign = Foreign()
"""
CHECK = """\
from txlb.health import CheckKind, Option
from txlb.model.kinds import Whole
moon = CheckKind("moon", "Looks at the moon.", print, (Option("phase", Whole(0, 4), "Its phase."),))
"""
PROBE = """\
from txlb.resources import Option, ProbeKind
from txlb.model.kinds import Whole
moon = ProbeKind(
    "moon",
    "Asks the moon.",
    lambda options, reactor: options["phase"] / 4,
    (Option("phase", Whole(0, 4), "Its phase."),),
)
"""
BROKEN = "from txlb.{} import {}\nraise ValueError('no')\n"
STRANGE = "raise ValueError('of no concern')\n"
WRONG = """\
from zope.interface import implementer
from txlb.health import CheckKind
from txlb.interfaces import ISchedulerPlugin
from txlb.resources import ProbeKind
from txlb.schedulers import Random, SchedulerKind

@implementer(ISchedulerPlugin)
class Bare:
    word, maker = "bare", Random

a = SchedulerKind("leastc", Random)
b = SchedulerKind("two words", Random)
c = SchedulerKind("unmakeable", "Random")
d = Bare()
e = CheckKind("tcp", "Taken.", print)
f = CheckKind("textual", "Options that are none.", print, ("role",))
g = CheckKind("optionless", "No options.", print, None)
h = CheckKind("undocumented", None, print)
i = CheckKind("unmade", "Nothing.", None)
j = CheckKind("undecided", "In files or not.", print, (), "no")
k = ProbeKind("agent", "Taken.", print)
l = ProbeKind("", "No word.", print)
"""

RAISING = """\
import sys
from zope.interface import implementer
from txlb.interfaces import IHealthCheckKind

class Absent:
    @property
    def __providedBy__(self):
        raise RuntimeError("working outside of a request")

    __provides__ = __class__ = __providedBy__

@implementer(IHealthCheckKind)
class Raising:
    inFiles, doc, options = True, "", ()

    @property
    def word(self):
        raise RuntimeError("no\\nword")

absent = Absent()
raising = Raising()
"""
ENDING = "from txlb.health import CheckKind\nraise SystemExit(1)\n"

CONFIG = b"""\
<config><service name="web"><listen ip="127.0.0.1:8080"/>
<group name="g" scheduler="leastc" enable="true">
<check type="moon" phase="2"/><resource probe="moon" phase="3"/></group></service></config>
"""


class PluginCase(SynchronousTestCase):
    """
    A folder of plugins of its own.
    """

    def setUp(self) -> None:
        super().setUp()
        keepRegistries(self, *_plugins.REGISTRIES)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.patch(
            twisted.plugins, "__path__", [*twisted.plugins.__path__, str(self.folder.resolve())]
        )

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.folder / f"txlbtest_{name}.py").write_text(text)
            self.addCleanup(sys.modules.pop, f"twisted.plugins.txlbtest_{name}", None)


class DiscoverTests(PluginCase):
    def test_interfaces(self) -> None:
        """
        The kinds of each package are such plugins, so that one of them in a module is enough.
        """
        for interface, kinds in (
            (ISchedulerPlugin, schedulerKinds()),
            (IHealthCheckKind, checkKinds()),
            (IResourceProbePlugin, probeKinds()),
        ):
            for kind in kinds:
                self.assertTrue(verifyObject(interface, kind))

    def test_scheduler(self) -> None:
        """
        The scheduler of a plugin is found when its word is asked for, once.
        """
        self.write(right=RIGHT, foreign=FOREIGN)
        self.assertNotIn("mine", schedulerWords())
        self.assertEqual(canonicalWord("mine"), "mine")
        self.assertEqual(schedulerFactory("mine").name, "rand")
        self.assertEqual(discoverPlugins(), ())
        kinds, wrong = listSchedulers()
        self.assertEqual(wrong, ())
        words = {kind["word"]: kind for kind in kinds}
        self.assertEqual(words["mine"]["summary"], "any")
        self.assertEqual(words["foreign"]["maxHosts"], 7)

    def test_inAFile(self) -> None:
        """
        A file asks for the check and the probe of plugins by their words, with options of
        their own.
        """
        self.write(check=CHECK, probe=PROBE)
        configuration = parseConfiguration(CONFIG, "config.xml")
        group = configuration.services[0].groups[0]
        self.assertEqual(group.check, HealthCheck("moon", options={"phase": 2}))
        self.assertEqual(group.resource, ResourceProbe("moon", options={"phase": 3}))
        assert group.resource is not None
        self.assertEqual(makeProbe(group.resource, None), 0.75)
        explained = explainConfiguration(configuration)
        self.assertRegex(explained, r"type +moon\n(?:.*\n)*? +phase +2\n")
        self.assertRegex(explained, r"probe +moon\n(?:.*\n)*? +phase +3\n")

    def test_inAProgram(self) -> None:
        """
        Programs get them by their words too.
        """
        self.write(check=CHECK, probe=PROBE)
        self.assertEqual(getCheckKind("moon").doc, "Looks at the moon.")
        self.assertEqual(getProbeKind("moon").doc, "Asks the moon.")

    def test_broken(self) -> None:
        """
        A module that can't be imported is named with its error and the remedy, for each sort
        of plugin, and the others are found. A module that names nothing of txlb's belongs to
        another program.
        """
        modules = {
            "a": ("schedulers", "SchedulerKind"),
            "b": ("interfaces", "ISchedulerPlugin"),
            "c": ("health", "CheckKind"),
            "d": ("interfaces", "IHealthCheckKind"),
            "e": ("resources", "ProbeKind"),
            "f": ("interfaces", "IResourceProbePlugin"),
        }
        self.write(
            **{name: BROKEN.format(*names) for name, names in modules.items()},
            right=RIGHT,
            strange=STRANGE,
        )
        wrong = discoverPlugins()
        self.assertEqual(len(wrong), len(modules))
        for line, name in zip(wrong, modules, strict=True):
            self.assertTrue(
                line.endswith(
                    f"txlbtest_{name}.py can't be imported: ValueError: no; correct or remove it"
                ),
                line,
            )
        self.assertIn("mine", schedulerWords())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_wrong(self) -> None:
        """
        An object that can't be used is named with its module, its name there, and the rule.
        Nothing of it is registered, and it is reported each time.
        """
        self.write(right=RIGHT, wrong=WRONG)
        known = [registry.words() for registry in _plugins.REGISTRIES]
        rules = (
            "(a): there is a scheduler 'leastc' already; choose another word",
            "(b): 'two words' is no word for a scheduler; choose one of letters",
            "(c): maker of 'unmakeable' is 'Random'; it is a class or a function",
            "(d): 'bare' can't be used: 'Bare' object has no attribute 'summary'",
            "(e): there is a check 'tcp' already; choose another word",
            "(f): options of 'textual' has 'role' in it; each is an Option",
            "(g): options of 'optionless' is None; it is a tuple of Options",
            "(h): doc of 'undocumented' is None; it is a text",
            "(i): make of 'unmade' is None; it is a function",
            "(j): 'undecided' does not say by inFiles whether files can ask for it",
            "(k): there is a probe 'agent' already; choose another word",
            "(l): '' is no word for a probe; choose one of letters",
        )
        for _ in range(2):
            wrong = discoverPlugins()
            self.assertEqual(len(wrong), len(rules), wrong)
            for line, rule in zip(wrong, rules, strict=True):
                self.assertIn(f"txlbtest_wrong.py {rule}", line)
        self.assertEqual(known[0][-1], "resource")
        self.assertEqual(
            [registry.words() for registry in _plugins.REGISTRIES],
            [[*known[0], "mine"], *known[1:]],
        )

    def test_raising(self) -> None:
        """
        Objects that raise errors when they are asked, and modules that would end the program,
        don't keep the others from being found. Objects that don't tell what they provide belong
        to other programs.
        """
        self.write(ending=ENDING, raising=RAISING, right=RIGHT)
        ending, raising = discoverPlugins()
        self.assertTrue(
            ending.endswith(
                "txlbtest_ending.py can't be imported: SystemExit: 1; correct or remove it"
            )
        )
        self.assertTrue(
            raising.endswith("txlbtest_raising.py (raising) can't be used: RuntimeError: no word"),
            raising,
        )
        self.assertIn("mine", schedulerWords())

    def test_unknown(self) -> None:
        """
        The error of a word that stays unknown names the plugins that are wrong, in programs
        and in files, as one of them may be the one that was meant.
        """
        self.write(broken=BROKEN.format("health", "CheckKind"))
        says = "txlbtest_broken.py can't be imported: ValueError: no"
        for find in (canonicalWord, getCheckKind, getProbeKind):
            error = self.assertRaises(UnknownName, find, "mooon")
            self.assertIn(says, str(error))
        refused = self.assertRaises(ConfigurationError, parseConfiguration, CONFIG, "c.xml")
        check, probe = refused.problems
        self.assertIn("type of <check> is 'moon'; it is one of tcp, ", check.message)
        self.assertIn("probe of <resource> is 'moon'; it is one of agent, http (", probe.message)
        for problem in (check, probe):
            self.assertIn(says, problem.message)

    def test_gone(self) -> None:
        """
        A file that can't be read, and can't be imported either, is passed over.
        """
        self.write(broken=BROKEN.format("schedulers", "SchedulerKind"))
        (self.folder / "txlbtest_broken.py").unlink()
        (self.folder / "txlbtest_broken.py").symlink_to("nowhere")
        self.assertEqual(discoverPlugins(), ())


class StartTests(PluginCase, ServiceCase):
    def test_wrong(self) -> None:
        """
        A balancer starts and serves clients if plugins are wrong, and its log names each of them.
        """
        self.write(broken=BROKEN.format("health", "CheckKind"), right=RIGHT, wrong=WRONG)
        log = logOf(self)
        self.balancer()
        self.start()
        relay = self.relay()
        client = self.come()
        self.assertEqual(len(relay.started), 1)
        client.close()
        self.endConnection(relay)
        self.assertEqual(self.manager.getGroup("web", "main").scheduler, "leastc")
        told = [formatEvent(event) for event in log if event["log_level"] is LogLevel.warn]
        wrong = [line for line in told if line.startswith("plugin ")]
        self.assertEqual(len(wrong), 13, told)
        self.assertIn("txlbtest_broken.py can't be imported: ValueError: no", wrong[0])
        self.assertIn("(f): options of 'textual' has 'role' in it; each is an Option", wrong[6])
        self.assertEqual(self.flushLoggedErrors(), [])
