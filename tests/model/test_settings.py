"""
Tests for L{txlb.model.settings}.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import SCHEDULER_SETTINGS, ProxyGroup, ProxyHost
from txlb.model.kinds import Seconds, Whole
from txlb.model.settings import (
    Since,
    checkSettings,
    setting,
    settingField,
    settingsOf,
    withSetting,
)


@dataclass(frozen=True, slots=True)
class Thing:
    """
    A value with settings, and with a field that is none.
    """

    size: int = field(metadata=setting(Whole(1, 9), "Its size.", word="big", since=Since.OLD))
    plain: object = None
    age: float | None = settingField(None, Seconds(0, 5), "Its age.", part="a")
    made: int = field(default=99, init=False, metadata=setting(Whole(1, 9), "Made."))

    def __post_init__(self) -> None:
        checkSettings(self, "thing 't'")


class SettingsTests(SynchronousTestCase):
    """
    A field says by itself what it is.
    """

    def test_settingsOf(self) -> None:
        """
        Those with metadata are settings, in the order of the fields.
        """
        found = settingsOf(Thing)
        self.assertEqual(list(found), ["size", "age", "made"])
        self.assertEqual(found["size"].kind, Whole(1, 9))
        self.assertEqual((found["size"].word, found["size"].since), ("big", Since.OLD))
        self.assertEqual((found["age"].word, found["age"].since), ("", Since.NEW))
        self.assertEqual(list(settingsOf(Thing, "a")), ["age"])

    def test_parts(self) -> None:
        self.assertEqual(SCHEDULER_SETTINGS, ("boundedLoad", "choices", "decay"))

    def test_checked(self) -> None:
        """
        Each is kept as its kind has it. The default is right as it is, and a field that is
        made of others is not looked at.
        """
        thing = Thing(3, "x", 2)
        self.assertEqual(thing.age, 2.0)
        self.assertIs(type(thing.age), float)
        self.assertIsNone(Thing(3).age)
        self.assertEqual(Thing(3).made, 99)

    def test_wrong(self) -> None:
        """
        The message names the setting, the thing, the value and the remedy.
        """
        error = self.assertRaises(ModelError, Thing, 10)
        self.assertEqual(str(error), "size of thing 't' is 10; it is a whole number from 1 to 9")
        error = self.assertRaises(ModelError, Thing, 1, None, "2s")
        self.assertEqual(
            str(error), "age of thing 't' is '2s'; it is a number of seconds from 0 to 5"
        )
        self.assertRaises(ModelError, Thing, None)

    def test_withSetting(self) -> None:
        """
        A copy has another value of one setting, which is checked and kept as its kind has it.
        The value itself stays.
        """
        thing = Thing(3, plain=[])
        changed = withSetting(thing, "age", 2, "thing 't'")
        self.assertEqual(changed, Thing(3, thing.plain, 2.0))
        self.assertIs(type(changed.age), float)
        self.assertIs(changed.plain, thing.plain)
        self.assertIsNone(thing.age)
        error = self.assertRaises(ModelError, withSetting, thing, "size", 10, "thing 't'")
        self.assertEqual(str(error), "size of thing 't' is 10; it is a whole number from 1 to 9")

    def test_withSettingOfHosts(self) -> None:
        """
        The settings that the manager changes so have no rule that ties them to others.
        """
        host = ProxyHost("a", "fe80::1%eth0", 80, check="tcp", backup=True)
        for name, values in (("weight", (0, 7)), ("state", ("ready", "drain", "maintenance"))):
            for value in values:
                changed = withSetting(host, name, value, "host 'a'")
                self.assertEqual(changed, replace(host, **{name: value}))  # type: ignore[arg-type]
                self.assertEqual(changed.address, host.address)

    def test_everySettingIsDescribed(self) -> None:
        for valueType in (ProxyHost, ProxyGroup):
            for name, each in settingsOf(valueType).items():
                self.assertTrue(each.doc.endswith("."), name)
