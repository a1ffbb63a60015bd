"""
C{txlb health}.
"""

from __future__ import annotations

import json

from tests.cli.support import BalancerTests, Box


class HealthTests(BalancerTests):
    """
    The exit status tells whether the balancer serves.
    """

    def test_serves(self) -> None:
        self.open()
        self.assertEqual(self.run_("health"), (0, "serves\n", ""))

    def test_doesNot(self) -> None:
        self.open()
        self.balancer.serving.reasons = ["web does not listen", "no host of web/prod is up"]
        text = "does not serve: web does not listen; no host of web/prod is up\n"
        self.assertEqual(self.run_("health", "web"), (1, text, ""))

    def test_hosts(self) -> None:
        """
        Whether hosts are up counts if it is asked for.
        """
        self.open()
        self.balancer.serving.areHostsDown = True
        self.assertEqual(self.run_("health")[0], 0)
        self.assertEqual(self.run_("health", "--hosts")[0], 1)

    def test_leader(self) -> None:
        """
        Whether the balancer leads its cluster counts if it is asked for.
        """
        self.open()
        text = "does not serve: b leads the cluster\n"
        self.assertEqual(self.run_("health", "--leader"), (1, text, ""))

    def test_json(self) -> None:
        self.open()
        self.balancer.serving.reasons = ["web does not listen"]
        status, out, _ = self.run_("health", "--json")
        self.assertEqual(status, 1)
        (row,) = json.loads(out)
        self.assertEqual((row["serves"], row["reasons"]), (False, ["web does not listen"]))

    def test_takenOut(self) -> None:
        """
        C{txlb set health} answers as C{txlb health} does, with the exit status of a change that
        was made.
        """
        self.open()
        self.assertEqual(self.run_("set", "health", "fail")[:2], (0, "does not serve: taken out\n"))
        self.assertEqual(self.run_("health")[0], 1)
        self.assertEqual(self.run_("set", "health", "ok")[0], 0)
        self.assertEqual(self.run_("health")[0], 0)
        self.assertIn("it is so already", self.run_("set", "health", "ok")[1])
        self.assertEqual(self.exits("set", "health", "maybe"), 2)

    def test_noBalancer(self) -> None:
        self.assertEqual(self.run_("health")[0], 3)

    def test_noAnswer(self) -> None:
        self.open(lambda _box: None)
        self.assertEqual(self.run_("health")[0], 4)

    def test_strange(self) -> None:
        """
        An answer that does not say that the balancer serves means that it does not.
        """

        def answer(_box: Box) -> Box:
            return {"_answer": "1", "rows": self.rows, "more": "False"}

        self.open(answer)
        for self.rows in ("[]", '[{"text": "?"}]', '[{"text": "?", "serves": "no"}]'):
            self.assertEqual(self.run_("health")[0], 1)
