"""
Tests for changes of who may come in.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.watched import Watched
from txlb.errors import ModelError, UnknownName
from txlb.model import TCPAddress


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.watched = Watched()
        self.manager = self.watched.manager

    def test_change(self) -> None:
        """
        What is said changes, at once and with one event; the rest stays.
        """
        admission = self.manager.getAdmission("web")
        self.assertFalse(admission.active)
        with self.manager.by("ssh:alice"):
            events = self.manager.setAdmission("web", deny=["192.0.2.0/24"], ratePerClient=5)
        self.assertEqual(
            list(map(str, events)),
            [
                "setting-changed web: deny none -> 192.0.2.0/24, by ssh:alice",
                "setting-changed web: ratePerClient none -> 5.0, by ssh:alice",
            ],
        )
        self.assertEqual(
            dict(events[0].details),
            {"setting": "deny", "before": [], "after": ["192.0.2.0/24"]},
        )
        self.assertEqual(self.watched.told, list(events))
        service = self.manager.getService("web")
        self.assertEqual((service.deny, service.allow, service.ratePerClient), (
            ("192.0.2.0/24",), (), 5.0))  # fmt: skip
        self.assertIs(self.manager.getAdmission("web"), admission)
        self.assertTrue(admission.active)
        self.manager.setAdmission("web", ratePerClient=None)
        self.assertEqual(self.manager.getService("web").deny, ("192.0.2.0/24",))
        self.manager.setAdmission("web", deny=())
        self.assertFalse(admission.active)
        self.assertFalse(self.manager.getAdmission("mail").active)

    def test_nothing(self) -> None:
        self.assertEqual(self.manager.setAdmission("web"), ())
        self.assertEqual(self.manager.setAdmission("web", allow=[], burstPerClient=None), ())
        self.assertEqual(self.watched.told, [])

    def test_wrong(self) -> None:
        """
        An error changes nothing.
        """
        before = self.watched.state()
        self.assertRaises(UnknownName, self.manager.setAdmission, "wep", deny=["all"])
        self.assertRaises(UnknownName, self.manager.getAdmission, "wep")
        error = self.assertRaises(
            ModelError, self.manager.setAdmission, "web", deny=["10.0.0.1/8"], ratePerClient=1
        )
        self.assertIn("the network is 10.0.0.0/8", str(error))
        self.assertRaises(ModelError, self.manager.setAdmission, "web", burstPerClient=0)
        self.assertEqual(self.watched.state(), before)
        self.assertEqual(self.watched.told, [])

    def test_manyNetworks(self) -> None:
        """
        A line of the log stays one that can be read; the details have it all.
        """
        networks = [f"10.0.{n}.0/24" for n in range(256)]
        [event] = self.manager.setAdmission("web", allow=networks)
        self.assertLess(len(str(event)), 300)
        self.assertIn("… (256 in all)", str(event))
        self.assertEqual(event.details["after"], networks)

    def test_anyChange(self) -> None:
        """
        It follows the service, whichever way that was changed.
        """
        service = replace(self.manager.getService("web"), maxConnectionsPerClient=3)
        admission = self.manager.getAdmission("web")
        self.manager.apply([service])
        self.assertIs(self.manager.getAdmission("web"), admission)
        self.assertTrue(admission.counting)
        self.assertRaises(UnknownName, self.manager.getAdmission, "mail")
        self.manager.apply([service, replace(service, name="mail", maxConnectionsPerClient=None)])
        self.assertFalse(self.manager.getAdmission("mail").active)
        self.manager.listenerMoved("web", 0, TCPAddress("", 8))
        self.assertTrue(admission.counting)
