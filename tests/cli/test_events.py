"""
Tests for L{txlb.cli._events} and L{txlb.cli._ask}.
"""

from __future__ import annotations

import json

from tests.cli.support import BalancerTests, Box


class EventsTests(BalancerTests):
    def happen(self, *weights: int) -> None:
        for weight in weights:
            self.balancer.manager.setWeight("web", "prod", "h0", weight)

    def test_last(self) -> None:
        self.happen(2, 3, 4)
        self.open()
        status, out, err = self.run_("events", "-n", "2")
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].endswith("host-weight web/prod/h0: weight 2 -> 3"), lines)

    def test_none(self) -> None:
        self.happen(2)
        self.open()
        self.assertEqual(self.run_("events", "-n", "0"), (0, "", ""))

    def test_json(self) -> None:
        self.happen(2)
        self.open()
        _, out, _ = self.run_("events", "--json")
        row = json.loads(out)
        self.assertEqual((row["number"], row["kind"]), (1, "host-weight"))

    def test_follow(self) -> None:
        """
        It asks for what comes after the last one, and says where it has missed some.
        """
        self.happen(2)
        asked = 0

        def answer(box: Box) -> Box | bytes | None:
            nonlocal asked
            asked += 1
            if asked == 2:
                self.assertEqual((box["after"], box["wait"]), ("1", "20"))
                self.happen(3)
            elif asked == 3:
                self.happen(4, 5)
                self.target.history._events.popleft()
                self.target.history._events.popleft()
                self.target.history._events.popleft()
            elif asked == 4:
                return None
            return self.answer(box)

        self.open(answer)
        status, out, err = self.run_("events", "--follow")
        self.assertEqual(status, 4)
        self.assertIn("the balancer has closed the connection", err)
        lines = out.splitlines()
        self.assertTrue(lines[1].endswith("weight 2 -> 3"), lines)
        self.assertEqual(lines[2], "… 1 missed")
        self.assertTrue(lines[3].endswith("weight 4 -> 5"), lines)

    def test_usage(self) -> None:
        for count in ("x", "1001", "-1"):
            self.assertEqual(self.exits("events", f"--lines={count}"), 2)


class ClientAddressTests(BalancerTests):
    def test_known(self) -> None:
        self.balancer.known["10.0.0.1", 7, None, None] = ("192.0.2.1", 9)
        self.open()
        self.assertEqual(self.run_("client-address", "10.0.0.1", "7"), (0, "192.0.2.1:9\n", ""))

    def test_at(self) -> None:
        self.balancer.known["10.0.0.1", 7, "::1", 80] = ("2001:db8::1", 9)
        self.open()
        self.assertEqual(
            self.run_("client-address", "10.0.0.1", "7", "--at", "[::1]:80"),
            (0, "[2001:db8::1]:9\n", ""),
        )

    def test_unix(self) -> None:
        self.balancer.known["10.0.0.1", 7, None, None] = ("unix:/run/web", 0)
        self.open()
        self.assertEqual(self.run_("client-address", "10.0.0.1", "7"), (0, "unix:/run/web\n", ""))

    def test_unknown(self) -> None:
        self.open()
        self.assertEqual(
            self.run_("client-address", "10.0.0.1", "7"),
            (1, "", "txlb client-address: no connection comes from 10.0.0.1 port 7\n"),
        )

    def test_usage(self) -> None:
        for words in (("1", "x"), ("1", "0"), ("1", "7", "--at", "80"), ("1", "7", "--at", "a:b")):
            self.assertEqual(self.exits("client-address", *words), 2)
