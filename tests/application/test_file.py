"""
Tests for L{txlb.application._file} and L{txlb.application._keeper}.
"""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests import fewer
from tests.fired import fired
from tests.registries import keepRegistries
from txlb.application import (
    ConfigurationFile,
    FileKeeper,
    LoadBalancedService,
    _edits,
    _file,
)
from txlb.application._ahead import lookAhead
from txlb.application._keeper import POLL
from txlb.config import Configuration, loadConfiguration
from txlb.errors import (
    ConfigurationConflict,
    ConfigurationError,
    DuplicateName,
    TxlbError,
    UnknownName,
)
from txlb.manager import proxyManagerFactory
from txlb.model import Listener, Plan, TCPAddress, ownedByPeople
from txlb.schedulers import SCHEDULERS, Scheduler, registerScheduler

FILE = """\
<!-- ours -->
<config>
  <service name="web">
    <listen ip="127.0.0.1:8080"/>
    <group name="prod" enable="true"> <!-- the real ones -->
      <host name="h1" ip="127.0.0.1:7001"/>  <!-- in the cellar -->
      <host name="h2" ip="127.0.0.1:7002" weight="2"/>
    </group>
  </service>
  <admin>
    <user name="ann" password="$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g" access="full"/>
  </admin>
  <manager/>
</config>
"""

CHECK = '<manager><configCheck interval="10" enable="{}" backups="2" reload="{}"/></manager>'


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        self.path = os.path.abspath(os.path.join(folder, "c.xml"))
        self.logged: list[str] = []
        observer = cast(ILogObserver, self._observe)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.made(FILE)

    def _observe(self, event: LogEvent) -> None:
        if str(event.get("log_namespace", "")).startswith("txlb."):
            self.logged.append(formatEvent(event))

    def made(self, text: str) -> None:
        self.write(text)
        loaded = loadConfiguration(self.path)
        self.manager = proxyManagerFactory(loaded.services)
        self.lbs = LoadBalancedService(self.manager)
        self.file = ConfigurationFile(self.lbs, loaded)

    def write(self, text: str) -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def read(self) -> str:
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def reload(self, *, discard: bool = False) -> Plan:
        return fired(self.lbs.reload(discard=discard))

    def plan(self) -> Plan:
        return fired(self.lbs.plan())

    def save(self, *, overwrite: bool = False) -> str | None:
        return fired(self.file.save(overwrite=overwrite))

    def weight(self, name: str) -> int:
        return self.manager.getHost("web", "prod", name).weight

    def find(self, name: str) -> None:
        """
        Play a source that finds a host.
        """
        self.manager.addHost("web", "prod", name, "127.0.0.1:7009", origin="dns:web.example")

    def names(self) -> list[str]:
        return [host.name for host in self.manager.getGroup("web", "prod").hosts]

    def files(self) -> int:
        return len(os.listdir(os.path.dirname(self.path)))


class ReloadTests(FileCase):
    def test_nothing(self) -> None:
        self.assertFalse(fired(self.lbs.plan()))
        self.assertFalse(self.reload())

    def test_changed(self) -> None:
        self.write(FILE.replace('weight="2"', 'weight="3"'))
        lines = ["host web/prod/h2: weight 2 -> 3"]
        self.assertEqual(fired(self.lbs.plan()).lines, lines)
        self.assertEqual(self.weight("h2"), 2)
        self.assertEqual(self.reload().lines, lines)
        self.assertEqual(self.weight("h2"), 3)
        self.assertFalse(self.file.unsaved())
        self.assertIn(f"{self.path}: host web/prod/h2: weight 2 -> 3", self.logged)

    def test_anotherFile(self) -> None:
        """
        What another file would change can be asked, by its path or by what it
        says, and by services themselves.
        """
        other = self.path + ".new"
        with open(other, "w", encoding="utf-8") as file:
            file.write(FILE.replace("leastc", "rand").replace('weight="2"', 'weight="9"'))
        config = loadConfiguration(other)
        for source in (other, config, config.services):
            self.assertEqual(
                fired(self.lbs.plan(source)).lines, ["host web/prod/h2: weight 2 -> 9"]
            )
        self.lbs.configuration = None
        for source in (other, config):
            self.assertEqual(
                fired(self.lbs.plan(source)).lines, ["host web/prod/h2: weight 2 -> 9"]
            )

    def test_noFile(self) -> None:
        self.lbs.configuration = None
        for do in (self.plan, self.reload):
            error = self.assertRaises(TxlbError, do)
            self.assertIn("not made from a configuration file", str(error))

    def test_wrong(self) -> None:
        """
        Everything that is wrong is in the log with its lines, and nothing has
        changed.
        """
        self.write(FILE.replace('weight="2"', 'weight="-1"').replace("127.0.0.1:7001", "127.0.0.1"))
        before = self.manager.services["web"]
        for do in (self.plan, self.reload):
            error = self.assertRaises(ConfigurationError, do)
            self.assertEqual([each.line for each in error.problems], [6, 7])
        self.assertIs(self.manager.services["web"], before)
        (line,) = [each for each in self.logged if "not loaded again" in each]
        self.assertIn(f"{self.path}:7: ", line)
        self.assertIs(self.file.lastError.__class__, ConfigurationError)
        self.write(FILE)
        self.reload()
        self.assertIsNone(self.file.lastError)

    def test_liveChangesStay(self) -> None:
        """
        What was changed live in another place than in the file stays, and is
        still to be saved.
        """
        self.manager.setWeight("web", "prod", "h1", 5)
        self.manager.addHost("web", "prod", "h3", "127.0.0.1:7003")
        self.write(FILE.replace('weight="2"', 'weight="3"'))
        self.assertEqual(self.reload().lines, ["host web/prod/h2: weight 2 -> 3"])
        self.assertEqual((self.weight("h1"), self.weight("h2")), (5, 3))
        self.assertEqual(
            self.file.unsaved().lines,
            [
                "host web/prod/h3 added (127.0.0.1:7003, weight 1)",
                "host web/prod/h1: weight 1 -> 5",
            ],
        )
        warned = [each for each in self.logged if "changed live and not in the file" in each]
        self.assertEqual(len(warned), 2)
        self.save()
        self.assertIn('weight="5"', self.read())
        self.assertIn('weight="3"', self.read())

    def test_conflict(self) -> None:
        """
        One host is changed in both: it is shown, and neither is overwritten.
        Somebody says which one counts.
        """
        self.manager.setWeight("web", "prod", "h2", 5)
        changed = FILE.replace('weight="2"', 'weight="3"')
        self.write(changed)
        wanted = "host web/prod/h2: weight is 5 live and 3 in the file; it was 2"
        for do in (self.plan, self.reload):
            error = self.assertRaises(ConfigurationConflict, do)
            self.assertIn(wanted, str(error))
        error = self.assertRaises(ConfigurationConflict, self.save)
        self.assertIn('-      <host name="h2" ip="127.0.0.1:7002" weight="3"/>', error.lines)
        self.assertIn('+      <host name="h2" ip="127.0.0.1:7002" weight="5"/>', error.lines)
        self.assertEqual((self.read(), self.weight("h2"), self.files()), (changed, 5, 1))
        self.assertEqual(self.reload(discard=True).lines, ["host web/prod/h2: weight 5 -> 3"])
        self.assertEqual(self.weight("h2"), 3)

    def test_manyConflicts(self) -> None:
        """
        The first ones are told, and the others are counted.
        """
        hosts = "".join(f'<host name="a{number}" ip="127.0.0.1:1"/>\n' for number in range(100))
        many = FILE.replace("    </group>", hosts + "    </group>")
        self.made(many)
        for number in range(100):
            self.manager.setWeight("web", "prod", f"a{number}", 5)
        self.write(many.replace('127.0.0.1:1"', '127.0.0.1:1" weight="7"'))
        error = self.assertRaises(ConfigurationConflict, self.reload)
        self.assertEqual(len(error.lines), 53)
        self.assertEqual(error.lines[-2], "  and 50 more lines")

    def test_togetherWrong(self) -> None:
        """
        Live and in the file two services take each other's place, and no service
        would be left.
        """
        other = '  <service name="b"><listen ip=":1"/><group name="g" enable="1"/></service>\n'
        two = FILE.replace("  <admin>", f"{other}  <admin>")
        self.made(two)
        self.manager.apply([self.manager.getService("web")])
        start, end = two.index('  <service name="web">'), two.index('  <service name="b">')
        self.write(two[:start] + two[end:])
        error = self.assertRaises(ConfigurationConflict, self.reload)
        self.assertIn("contradict each other: there is no service", str(error))

    def test_followers(self) -> None:
        told: list[Configuration] = []
        self.file.follow(told.append)
        self.write(FILE.replace("ann", "bob"))
        self.assertEqual(self.reload().lines, ["user ann removed", "user bob added"])
        self.assertEqual([user.name for user in told[0].admin.users], ["bob"])
        self.assertEqual(self.file.admin.users, told[0].admin.users)

    def test_drift(self) -> None:
        """
        Three things are told apart: the file as it was loaded, the file as it is now,
        and what runs.
        """
        self.assertFalse(fired(self.file.drift()))
        self.manager.setWeight("web", "prod", "h1", 5)
        self.write(FILE.replace('weight="2"', 'weight="3"').replace("ann", "bob"))
        drift = fired(self.file.drift())
        self.assertEqual(
            drift.inFile.lines,
            ["host web/prod/h2: weight 2 -> 3", "user ann removed", "user bob added"],
        )
        self.assertEqual(drift.live.lines, ["host web/prod/h1: weight 1 -> 5"])
        self.reload()
        drift = fired(self.file.drift())
        self.assertEqual((drift.inFile.lines, len(drift.live.lines)), ([], 1))
        self.assertTrue(drift)
        self.save()
        self.assertFalse(fired(self.file.drift()))

    def test_found(self) -> None:
        """
        Hosts that a source has found are neither live changes nor in the way of a reload,
        nor are they undone or saved by people.
        """
        self.find("f1")
        self.manager.setWeight("web", "prod", "h1", 5)
        drift = fired(self.file.drift())
        self.assertEqual(drift.live.lines, ["host web/prod/h1: weight 1 -> 5"])
        found = "host web/prod/f1 added (127.0.0.1:7009, weight 1, found by dns:web.example)"
        self.assertEqual(drift.found.lines, [found])
        self.assertEqual(self.file.unsaved().lines, drift.live.lines)
        self.assertEqual(
            self.file.changes(self.manager.services.values()), ["host web/prod/h1: weight 1 -> 5"]
        )
        self.write(FILE.replace('weight="2"', 'weight="3"'))
        lines = ["host web/prod/h2: weight 2 -> 3"]
        self.assertEqual(self.reload().lines, lines)
        self.assertEqual(self.names(), ["h1", "h2", "f1"])
        self.assertEqual(self.reload(discard=True).lines, ["host web/prod/h1: weight 5 -> 1"])
        self.assertEqual(self.names(), ["h1", "h2", "f1"])
        drift = fired(self.file.drift())
        self.assertFalse(drift)
        self.assertEqual(drift.found.lines, [found])
        self.assertIsNone(self.save())
        self.assertNotIn("f1", self.read())
        self.manager.setWeight("web", "prod", "h1", 4)
        self.save()
        self.assertNotIn("f1", self.read())
        self.assertIn('weight="4"', self.read())
        self.assertFalse(self.plan())

    def test_foundHasAName(self) -> None:
        """
        If people put a host of the same name into the file, that is the host from then on.
        """
        self.find("h3")
        self.write(FILE.replace("</group>", '<host name="h3" ip="127.0.0.1:7003"/></group>'))
        lines = [
            "host web/prod/h3 moved from 127.0.0.1:7009 to 127.0.0.1:7003",
            "host web/prod/h3: origin dns:web.example -> none",
        ]
        self.assertEqual(self.plan().lines, lines)
        self.reload()
        self.assertEqual(self.manager.getHost("web", "prod", "h3").origin, "")
        self.assertFalse(self.plan())

    def test_serviceComesMeanwhile(self) -> None:
        """
        A service that comes while a plan is made in a thread is in the plan, which is made
        again. Before, only the services that were there were compared, and it was removed.
        """
        made: list[tuple[object, ...]] = []

        async def inThread(function: Any, *arguments: Any, **_: object) -> Any:
            found = function(*arguments)
            if function is lookAhead:
                made.append(arguments)
            if len(made) == 1:
                [web] = self.manager.services.values()
                self.manager.apply([web, replace(web, name="mail", listeners=(Listener(":25"),))])
            return found

        self.patch(self.file, "_inThread", inThread)
        self.write(FILE.replace('weight="2"', 'weight="3"'))
        self.assertEqual(self.plan().lines, ["host web/prod/h2: weight 2 -> 3"])
        self.assertEqual(len(made), 2)
        made.clear()
        self.manager.apply([self.manager.getService("web")])
        self.assertEqual(self.reload().lines, ["host web/prod/h2: weight 2 -> 3"])
        self.assertEqual(list(self.manager.services), ["web", "mail"])

    def test_policyRaises(self) -> None:
        class Unmade(Scheduler):
            name = "unmade"

            def __init__(self, *_arguments: object, **_settings: object) -> None:
                raise RuntimeError("no table found")

        keepRegistries(self, SCHEDULERS)
        registerScheduler("unmade", Unmade)
        self.write(FILE.replace('name="prod"', 'name="prod" scheduler="unmade"'))
        error = self.assertRaises(TxlbError, self.reload)
        self.assertEqual(
            str(error),
            "scheduler 'unmade' can't be used for group 'prod' of service 'web': it raises "
            "RuntimeError('no table found')",
        )
        self.assertEqual(self.manager.getGroup("web", "prod").scheduler, "leastc")


class ReplaceTests(FileCase):
    """
    The whole file is replaced.
    """

    WANTED = FILE.replace('name="h2"', 'name="h3"').encode()

    def replaced(self, data: bytes, expected: str = FILE) -> Plan:
        return fired(self.file.replace(data, expected.encode()))

    def test_replaced(self) -> None:
        followed: list[Configuration] = []
        self.file.follow(followed.append)
        plan = fired(self.file.planOf(self.WANTED))
        self.assertEqual(self.names(), ["h1", "h2"])
        self.assertEqual(self.replaced(self.WANTED).lines, plan.lines)
        self.assertEqual(self.names(), ["h1", "h3"])
        self.assertEqual(self.read().encode(), self.WANTED)
        self.assertEqual(followed, [self.file.loaded])
        self.assertFalse(self.file.unsaved())
        # The old file is beside it.
        self.assertEqual(self.files(), 2)

    def test_liveChangesStay(self) -> None:
        self.manager.setWeight("web", "prod", "h1", 9)
        self.replaced(self.WANTED)
        self.assertEqual(self.weight("h1"), 9)
        self.manager.setWeight("web", "prod", "h3", 4)
        with self.assertRaises(ConfigurationConflict):
            self.replaced(FILE.encode(), self.WANTED.decode())
        self.assertEqual(self.names(), ["h1", "h3"])

    def test_refused(self) -> None:
        for data in (b"<config/>", b"x"):
            with self.assertRaises(ConfigurationError):
                self.replaced(data)
        self.assertIsInstance(self.file.lastError, ConfigurationError)
        self.assertEqual((self.read(), self.names()), (FILE, ["h1", "h2"]))

    def test_edited(self) -> None:
        """
        If another program has changed the file, the services are as they were.
        """
        self.write(FILE + " ")
        with self.assertRaises(ConfigurationError):
            self.replaced(self.WANTED)
        self.assertEqual((self.read(), self.names()), (FILE + " ", ["h1", "h2"]))


class LookTests(FileCase):
    """
    What was edited in the file, for the status.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reads = 0
        editsOf = _edits.editsOf

        def counted(path: str, loaded: Configuration) -> _edits.Edits:
            self.reads += 1
            return editsOf(path, loaded)

        self.patch(_file, "editsOf", counted)

    def test_edited(self) -> None:
        """
        The three differences are told apart: what was edited, what was changed live, and what
        a reload would change. The file is read only if it may be another one than before.
        """
        self.manager.setWeight("web", "prod", "h1", 7)
        for _ in range(3):
            self.assertFalse(fired(self.file.look()))
        self.assertEqual((self.reads, self.file.edits), (1, None))
        self.write(FILE.replace('weight="2"', 'weight="11"'))
        for _ in range(3):
            self.assertTrue(fired(self.file.look()))
        self.assertEqual(self.reads, 2)
        self.assertEqual(self.file.edits, ["host web/prod/h2: weight 2 -> 11"])
        self.assertEqual(self.file.unsaved().lines, ["host web/prod/h1: weight 1 -> 7"])
        self.assertEqual(self.plan().lines, ["host web/prod/h2: weight 2 -> 11"])
        self.reload()
        self.assertIsNone(self.file.edits)
        self.assertFalse(fired(self.file.look()))
        self.assertIsNone(self.file.edits)

    def test_comment(self) -> None:
        """
        A comment that was edited is an edit of the file, and changes nothing.
        """
        self.write(FILE.replace("ours", "theirs, or ours"))
        self.assertTrue(fired(self.file.look()))
        self.assertEqual(self.file.edits, [])
        self.manager.setWeight("web", "prod", "h1", 7)
        self.save(overwrite=True)
        self.assertFalse(fired(self.file.look()))

    def test_wrong(self) -> None:
        """
        A file that can't be loaded, or is not there, is an edited one, with what is wrong.
        """
        self.write("no XML")
        self.assertTrue(fired(self.file.look()))
        (line,) = self.file.edits or ["nothing"]
        self.assertIn("this is no XML", line)
        os.unlink(self.path)
        self.assertTrue(fired(self.file.look()))
        (line,) = self.file.edits or ["nothing"]
        self.assertIn("No such file", line)

    def test_many(self) -> None:
        """
        Of many edits the first ones are told.
        """
        users = "".join(f'<user name="u{number}" password="x"/>' for number in range(70))
        self.write(FILE.replace("</admin>", f"{users}</admin>"))
        fired(self.file.look())
        lines = self.file.edits or []
        self.assertEqual((len(lines), lines[-1][:4]), (51, "and "))

    def test_together(self) -> None:
        """
        Looks at the same time read a large file once, and one that is not waited for any more
        does not keep the others waiting.
        """
        reading: Deferred[Any] = Deferred()

        async def inThread(*_arguments: object, **_more: object) -> Any:
            return await reading

        self.patch(self.file, "_inThread", inThread)
        first, second, third = (self.file.look() for _ in range(3))
        second.addErrback(lambda reason: reason.trap(CancelledError) and None)
        second.cancel()
        edits = _edits.Edits(True)
        reading.callback(edits)
        self.assertEqual((fired(first), fired(third)), (edits, edits))
        self.assertEqual(self.file.edits, [])


class SaveTests(FileCase):
    def test_nothing(self) -> None:
        self.assertIsNone(self.save())
        self.assertEqual((self.read(), self.files()), (FILE, 1))

    def test_edit(self) -> None:
        """
        The file differs in the edit and in nothing else, and the old one is
        beside it.
        """
        self.manager.setWeight("web", "prod", "h2", 7)
        self.manager.addHost("web", "prod", "h3", "127.0.0.1:7003", 4)
        kept = self.save()
        assert kept is not None
        with open(kept, encoding="utf-8") as file:
            self.assertEqual(file.read(), FILE)
        self.assertEqual(
            self.read(),
            FILE.replace(
                'weight="2"/>\n',
                'weight="7"/>\n      <host name="h3" ip="127.0.0.1:7003" weight="4"/>\n',
            ),
        )
        self.assertFalse(self.file.unsaved())
        self.assertEqual(self.file.changes(self.manager.services.values()), [])
        self.assertIsNone(self.save())
        self.assertFalse(self.reload())

    def test_overwrite(self) -> None:
        """
        Asked to, it saves over what somebody else has done, and keeps the rest
        of their file.
        """
        self.manager.setWeight("web", "prod", "h2", 5)
        self.write(FILE.replace("ours", "theirs").replace('weight="2"', 'weight="3"'))
        self.save(overwrite=True)
        self.assertEqual(
            self.read(), FILE.replace("ours", "theirs").replace('weight="2"', 'weight="5"')
        )
        self.write("no XML")
        self.save(overwrite=True)
        self.assertIn('weight="5"', self.read())

    def test_gone(self) -> None:
        os.unlink(self.path)
        self.manager.setWeight("web", "prod", "h2", 5)
        error = self.assertRaises(ConfigurationConflict, self.save)
        self.assertIn("can't be read any more", str(error))
        self.assertFalse(os.path.exists(self.path))
        self.save(overwrite=True)
        self.assertIn('weight="5"', self.read())

    def test_noPasswords(self) -> None:
        self.manager.setWeight("web", "prod", "h2", 5)
        self.write(FILE.replace("c2FsdHNhbHQ", "b3RoZXJzYWx0"))
        error = self.assertRaises(ConfigurationConflict, self.save)
        self.assertNotIn("argon2id", str(error))
        self.assertIn('password="(not shown)"', str(error))

    def test_noPasswordsOnTwoLines(self) -> None:
        """
        Nor where an attribute stands on several lines, in what the file says or in a user
        who is commented out; and the log has none either.
        """
        hashed = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
        two = FILE.replace(f'password="{hashed}"', f'password=\n"{hashed}"').replace(
            "<manager/>", f"<!-- <user name='bob' password='\n{hashed}'/> -->"
        )
        self.made(two)
        self.manager.setWeight("web", "prod", "h2", 5)
        self.write(two.replace("c2FsdHNhbHQ", "b3RoZXJzYWx0"))
        error = self.assertRaises(ConfigurationConflict, self.save)
        for text in (str(error), *self.logged):
            self.assertNotIn("argon2id", text)
            self.assertNotIn("aGFzaGhhc2g", text)
        self.assertEqual(len(error.lines), 12)

    def test_conflictWithNoXML(self) -> None:
        """
        What differs can't be shown without secrets then, and why is said.
        """
        self.manager.setWeight("web", "prod", "h2", 5)
        self.write(FILE.replace("</admin>", ""))
        error = self.assertRaises(ConfigurationConflict, self.save)
        self.assertIn("what differs is not shown: the file:14: <admin> of line 10", error.lines[1])
        self.assertNotIn("argon2id", str(error))

    def test_longDifference(self) -> None:
        self.manager.setWeight("web", "prod", "h2", 5)
        self.write(FILE.replace("ours", "\n" * 500))
        error = self.assertRaises(ConfigurationConflict, self.save)
        self.assertLess(len(error.lines), 210)
        self.assertIn("lines more", str(error))

    def test_cantBeWritten(self) -> None:
        """
        It stays unsaved, says why, and what was there is there.
        """
        self.manager.setWeight("web", "prod", "h2", 5)

        def full(*_arguments: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch = self.patch(os, "fsync", full)
        for _ in range(3):
            error = self.assertRaises(ConfigurationError, self.save)
            self.assertIn("No space left", str(error))
        self.assertEqual((self.read(), self.files()), (FILE, 1))
        self.assertTrue(self.file.unsaved())
        self.assertEqual(len([each for each in self.logged if "not saved" in each]), 3)
        patch.restore()
        self.save()
        self.assertFalse(self.file.unsaved())

    def test_repr(self) -> None:
        self.assertEqual(repr(self.file), f"<ConfigurationFile {self.path}>")
        self.assertRaises(AttributeError, getattr, self.file, "nothing")


class AnyEditsTests(FileCase):
    """
    Whatever is done live, a file that was saved says what runs, without hosts that sources
    have found.
    """

    @fewer(0.5)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["add", "find", "del", "weight", "scheduler", "move", "save", "reload"]
                ),
                st.sampled_from(["h1", "h2", "h3", "ö & <é>"]),
                st.integers(0, 5),
            ),
            max_size=12,
        )
    )
    def test_saveThenLoad(self, edits: list[tuple[str, str, int]]) -> None:
        self.made(FILE)
        words = ["rand", "roundr", "leastc", "weightr", "weightlc", "sticky"]
        for what, name, number in edits:
            try:
                if what == "add":
                    self.manager.addHost("web", "prod", name, f"127.0.0.1:{number + 1}", number)
                elif what == "find":
                    self.find(name)
                elif what == "del":
                    self.manager.delHost("web", "prod", name)
                elif what == "weight":
                    self.manager.setWeight("web", "prod", name, number)
                elif what == "scheduler":
                    self.manager.setScheduler("web", "prod", words[number])
                elif what == "move":
                    address = TCPAddress("127.0.0.1", 9000 + number)
                    self.manager.listenerMoved("web", 0, address)
                elif what == "save":
                    self.save()
                else:
                    self.reload(discard=number == 0)
            except TxlbError as error:
                self.assertIsInstance(error, (UnknownName, DuplicateName))
        running = tuple(self.manager.services.values())
        self.save()
        self.assertEqual(loadConfiguration(self.path).services, ownedByPeople(running))
        self.assertFalse(self.file.unsaved())
        self.assertFalse(fired(self.lbs.plan()))
        self.assertIn("<!-- the real ones -->", self.read())


class KeeperTests(FileCase):
    """
    Saving and loading by itself, as the file says.
    """

    def keep(self, save: str, follow: str) -> None:
        self.now = 0.0
        self.made(FILE.replace("<manager/>", CHECK.format(save, follow)))
        self.reactor: Any = Clock()
        self.keeper = FileKeeper(self.file, self.manager, self.reactor, self.reactor.seconds)
        self.keeper.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.keeper.running:
            self.keeper.stopService()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def polls(self, count: int) -> None:
        for _ in range(count):
            self.reactor.advance(POLL)

    def touch(self, text: str) -> None:
        """
        Write it, some time later than before, however coarse the file system's
        clock is.
        """
        self.write(text)
        self.now += 1000
        os.utime(self.path, (self.now, self.now))

    def test_off(self) -> None:
        self.keep("no", "no")
        self.manager.setWeight("web", "prod", "h2", 5)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_saves(self) -> None:
        """
        At the interval, where something has changed.
        """
        self.keep("yes", "no")
        before = self.read()
        self.polls(40)
        self.assertEqual((self.read(), self.files()), (before, 1))
        self.manager.setWeight("web", "prod", "h2", 5)
        self.polls(20)
        self.assertEqual(self.read(), before.replace('weight="2"', 'weight="5"'))
        for weight in (6, 7, 8, 9):
            self.manager.setWeight("web", "prod", "h2", weight)
            self.polls(20)
        self.assertEqual(self.files(), 3)

    def test_savesNotOver(self) -> None:
        """
        Where somebody else has changed the file, it says so once and does
        nothing.
        """
        self.keep("yes", "no")
        other = self.read().replace("ours", "theirs")
        self.touch(other)
        self.manager.setWeight("web", "prod", "h2", 5)
        self.polls(100)
        self.assertEqual(self.read(), other)
        self.assertEqual(len([each for each in self.logged if "not saved" in each]), 1)

    def test_follows(self) -> None:
        self.keep("no", "yes")
        told: list[str] = []
        self.manager.subscribe(lambda event: told.append(event.by))
        text = self.read().replace('weight="2"', 'weight="3"')
        self.touch(text)
        self.polls(1)
        self.assertEqual(self.weight("h2"), 2)
        self.polls(1)
        self.assertEqual(self.weight("h2"), 3)
        self.assertEqual(told, ["file"])
        self.polls(5)
        self.assertEqual(len([each for each in self.logged if "was loaded again" in each]), 1)

    def test_halfWritten(self) -> None:
        """
        A file that is being written is left alone until it is whole; one that
        stays wrong is told once.
        """
        self.keep("no", "yes")
        text = self.read().replace('weight="2"', 'weight="3"')
        for end in range(100, len(text), 100):
            self.touch(text[:end])
            self.polls(1)
        self.assertEqual([each for each in self.logged if "not loaded" in each], [])
        self.polls(9)
        self.assertEqual(len([each for each in self.logged if "not loaded" in each]), 1)
        self.assertEqual(self.weight("h2"), 2)
        self.touch(text)
        self.polls(2)
        self.assertEqual(self.weight("h2"), 3)

    def test_itsOwn(self) -> None:
        """
        What it has saved itself is nothing new, nor is a file that says the same.
        """
        self.keep("yes", "yes")
        self.manager.setWeight("web", "prod", "h2", 5)
        self.polls(30)
        self.touch(self.read())
        self.polls(5)
        self.assertEqual([each for each in self.logged if "loaded again" in each], [])

    def test_goneForAWhile(self) -> None:
        self.keep("no", "yes")
        text = self.read()
        os.unlink(self.path)
        self.polls(4)
        self.touch(text.replace('weight="2"', 'weight="3"'))
        self.polls(2)
        self.assertEqual(self.weight("h2"), 3)

    def test_switched(self) -> None:
        """
        A file that is loaded says from then on what is done by itself.
        """
        self.keep("no", "yes")
        self.touch(self.read().replace('reload="yes"', 'reload="no"').replace('"no"', '"on"', 1))
        self.polls(2)
        self.assertEqual(self.file.settings.enable, True)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.manager.setWeight("web", "prod", "h2", 5)
        self.polls(20)
        self.assertIn('weight="5"', self.read())
        self.keeper.stopService()
        self.keeper._saveNow()
        self.keeper._lookNow()
        self.reload()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
