"""
Tests for L{txlb.wire._upgrade}.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from txlb.wire import (
    BULK,
    ENDED,
    MAX_UPGRADE_MESSAGE,
    UPGRADE_RECORDS,
    UPGRADE_VERSION,
    Aborted,
    AllChanged,
    AllCopied,
    AllMoved,
    ChangedConnection,
    Copies,
    Declined,
    EndState,
    Frozen,
    Gone,
    HostName,
    Kept,
    MovedConnection,
    Moves,
    Offer,
    Prepared,
    Ready,
    Started,
    UpgradeError,
    UpgradeMessage,
    WaitingClient,
    decodeUpgrade,
    encodeUpgrade,
    upgradeRefusal,
)

HOST = HostName("web", "hosts", "host 1", "127.0.0.1:7001", 0.5)
END = EndState(ENDED | BULK, 70000, 5, 0, 12)
MOVED = MovedConnection(
    7, 0, ["192.0.2.1", 4711], 1.5, 0.25, ["host 1"], 1.75, 10, 20, True, 2.5, 3, 0, END, END, False
)
CHANGED = ChangedConnection(7, 11, 21, False, 3.5, 0, 4, EndState(), END)
WAITING = WaitingClient(
    "web", "hosts", "unix:/a", True, 1.5, ["host 1"], 9.5, [0, 0], [0, 5], [5, 1]
)

MESSAGES: tuple[UpgradeMessage, ...] = (
    Offer(UPGRADE_VERSION, [["127.0.0.1:80", 2]], ["web"], "/run/pid", True),
    Ready(UPGRADE_VERSION, ["web"], ["127.0.0.1:80"]),
    Declined("no such file"),
    Kept(False),
    Copies([HOST], [MOVED]),
    Gone([1, 2]),
    AllCopied(),
    Prepared(),
    Frozen(),
    Moves([HOST], [MOVED], [CHANGED], [WAITING]),
    AllChanged(),
    AllMoved(3),
    Started(),
    Aborted("it takes too long"),
)


class UpgradeMessageTests(SynchronousTestCase):
    def test_thereAndBack(self) -> None:
        for message in MESSAGES:
            self.assertEqual(decodeUpgrade(encodeUpgrade(message)), message)

    def test_kinds(self) -> None:
        """
        Records are of their classes again.
        """
        found = decodeUpgrade(encodeUpgrade(Moves([HOST], [MOVED], [CHANGED], [WAITING])))
        assert isinstance(found, Moves)
        self.assertEqual(found.connections[0].client.held, 12)
        self.assertEqual(found.changes[0].hostEnd.piped, 5)
        self.assertEqual(found.hosts[0].host, "host 1")
        self.assertTrue(found.waiting[0].clientIsUNIX)

    def test_wrong(self) -> None:
        for data in (
            b"",
            b"[]",
            b"{}",
            b'["Nothing",{}]',
            b'["Gone"]',
            b'["Gone",{"several":1}]',
            b'["Moves",{"hosts":[[1]]}]',
            b'["Copies",{"connections":[[1,2]]}]',
            b"[" * 5000,
        ):
            with self.assertRaisesRegex(UpgradeError, "can't be read"):
                decodeUpgrade(data)

    def test_tooLong(self) -> None:
        with self.assertRaisesRegex(UpgradeError, "bytes, more than"):
            encodeUpgrade(Declined("x" * MAX_UPGRADE_MESSAGE))

    def test_otherVersion(self) -> None:
        """
        The messages that tell the version are understood if they say more or less.
        """
        more = json.dumps(["Ready", {"version": 99, "services": ["web"], "new": 1}]).encode()
        found = decodeUpgrade(more)
        assert isinstance(found, Ready)
        self.assertEqual((found.version, found.services), (99, ["web"]))
        self.assertIn("version 99", upgradeRefusal(99))
        self.assertEqual(upgradeRefusal(UPGRADE_VERSION), "")

    def test_fields(self) -> None:
        """
        If a field of a record or a message changes, the version is raised, and this test with it.
        """
        self.assertEqual(UPGRADE_VERSION, 2)
        self.assertEqual(
            {name: len(fields) for name, fields in UPGRADE_RECORDS.items()},
            {
                "EndState": 5,
                "HostName": 5,
                "MovedConnection": 16,
                "ChangedConnection": 9,
                "WaitingClient": 10,
            },
        )
