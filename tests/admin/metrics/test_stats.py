"""
HAProxy's statistics as CSV.
"""

from __future__ import annotations

import csv

from tests.admin.metrics.test_exposition import NASTY, ExpositionCase
from txlb.admin import Target
from txlb.admin._history import History
from txlb.admin.metrics import statistics
from txlb.admin.metrics._columns import COLUMNS
from txlb.application._ring import Ring
from txlb.pool import CheckResult


class StatisticsTests(ExpositionCase):
    def rows(self) -> list[dict[str, str]]:
        text = b"".join(statistics(Target(self.lbs, None, History()))).decode()
        self.assertTrue(text.startswith("# pxname,svname,"))
        return list(csv.DictReader(text[2:].splitlines()))

    def test_rows(self) -> None:
        """
        A service is followed by its groups: their hosts, and then themselves.
        """
        found = [(row["pxname"], row["svname"], row["type"]) for row in self.rows()]
        self.assertEqual(
            found,
            [
                ("web", "FRONTEND", "0"),
                ("web:prod", "a", "2"),
                ("web:prod", "b", "2"),
                ("web:prod", "BACKEND", "1"),
                ("web:spare", "BACKEND", "1"),
                (NASTY, "FRONTEND", "0"),
                (f"{NASTY}:{NASTY}", NASTY, "2"),
                (f"{NASTY}:{NASTY}", "BACKEND", "1"),
            ],
        )

    def test_columns(self) -> None:
        """
        Each row has each column; those without a value are empty.
        """
        self.pool.watch("a", 2, 3)
        self.pool.reportCheck("a", CheckResult(True, 'said "a, b"', 0.5))
        rows = self.rows()
        for row in rows:
            self.assertEqual(list(row), list(COLUMNS))
            self.assertNotIn(None, row.values())
        a = rows[1]
        self.assertEqual((a["check_status"], a["check_duration"]), ("L7OK", "500"))
        self.assertEqual((a["last_chk"], a["status"], a["slim"]), ('said "a, b"', "UP", ""))
        self.assertEqual(rows[2]["status"], "no check")
        self.assertEqual({row["iid"] for row in rows[1:4]}, {"3"})

    def test_history(self) -> None:
        """
        Rates and highest values come from the points of the history.
        """
        ring = self.lbs.history._rings["web", "prod", "a"] = Ring()
        ring.put(0, [7, 2.6, 0, 0, 0, 0, 1])
        ring.put(1, [3, 1.2, 0, 0, 0, 0, 1])
        a = self.rows()[1]
        self.assertEqual((a["smax"], a["rate"], a["rate_max"]), ("7", "1", "3"))
