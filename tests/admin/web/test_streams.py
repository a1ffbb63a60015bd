"""
Tests for L{txlb.admin.web._streams} and the parts of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.admin.web.asking import TOKENS, Client, ConsoleCase, parsed
from txlb.admin.web import _updates
from txlb.admin.web._overview import COLUMNS
from txlb.admin.web._streams import MOST_OF_SOURCE


def events(data: bytes) -> Iterator[tuple[str, str, Any]]:
    """
    Read server-sent events: the name, the id and the data of each.
    """
    for block in data.decode().split("\n\n"):
        fields = dict(
            line.partition(": ")[::2] for line in block.split("\n") if not line.startswith(":")
        )
        if "data" in fields:
            yield fields["event"], fields.get("id", ""), json.loads(fields["data"])


class StreamCase(ConsoleCase):
    def follow(self, last: str = "") -> Client:
        client = Client(self)
        lines = [
            "GET /api/v1/events HTTP/1.1",
            "Host: localhost",
            "Accept: text/event-stream",
            f"Authorization: Bearer {TOKENS['readonly']}",
            *([f"Last-Event-ID: {last}"] if last else []),
        ]
        client.send("\r\n".join([*lines, "", ""]).encode())
        return client

    def got(self, client: Client) -> list[tuple[str, str, Any]]:
        """
        Return the events that a client got since the last time.
        """
        data = client.take()
        if data.startswith(b"HTTP"):
            return list(events(parsed(data).body))
        answer = parsed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
        return list(events(answer.body))

    def change(self, weight: int) -> None:
        self.balancer.manager.setWeight("web", "prod", "h0", weight)


class EventTests(StreamCase):
    def test_follow(self) -> None:
        client = self.follow()
        names = [name for name, _, _ in self.got(client)]
        self.assertEqual(names, ["hello", "update"])
        self.change(5)
        [(name, number, row)] = self.got(client)
        self.assertEqual((name, row["kind"]), ("event", "host-weight"))
        self.assertEqual(number, self.console.streams.last)

    def test_resume(self) -> None:
        for weight in range(2, 6):
            self.change(weight)
        process = self.console.streams.process
        found = self.got(self.follow(f"{process}-2"))
        self.assertEqual(
            [each[1] for each in found if each[0] == "event"], [f"{process}-3", f"{process}-4"]
        )

    def test_otherProcess(self) -> None:
        self.change(2)
        for last in ("00000000-1", "x", f"{self.console.streams.process}-99"):
            found = self.got(self.follow(last))
            self.assertEqual([each[0] for each in found][:2], ["hello", "gap"])

    def test_slowReader(self) -> None:
        """
        A client that does not read costs nothing; when it reads again it is told of the gap.
        """
        client = self.follow()
        self.got(client)
        client.channel.pauseProducing()
        for weight in range(1, 2500):
            self.change(weight)
            if weight % 100 == 0:
                self.turn(5, 0.1)
        self.assertEqual(client.take(), b"")
        client.channel.resumeProducing()
        found = self.got(client)
        self.assertEqual([each[0] for each in found[:2]], ["gap", "gap"])
        self.assertEqual([each[2]["of"] for each in found[:2]], ["updates", "events"])
        self.assertEqual(len([each for each in found if each[0] == "event"]), 1000)
        self.assertEqual(found[-1][1], self.console.streams.last)

    def test_many(self) -> None:
        """
        Events that come together are sent in several turns.
        """
        client = self.follow()
        self.got(client)
        for weight in range(1, 400):
            self.change(weight + 1)
        found = self.got(client)
        self.assertEqual([each[2]["details"]["after"] for each in found], list(range(2, 401)))

    def test_bound(self) -> None:
        clients = [self.follow() for _ in range(MOST_OF_SOURCE)]
        refused = parsed(self.follow().take())
        self.assertEqual(refused.status, 503)
        clients[0].leave()
        self.assertIn(b"hello", self.follow().take())

    def test_rest(self) -> None:
        """
        Without streams there are no timers.
        """
        client = self.follow()
        self.got(client)
        client.leave()
        self.assertEqual(len(self.console.streams), 0)
        self.turn(10, 1.0)
        self.assertEqual(len(self.console.deadlines), 0)

    def test_alive(self) -> None:
        client = self.follow()
        self.turn(20, 1.0)
        self.assertIn(b": alive", client.take())

    def test_stop(self) -> None:
        client = self.follow()
        paused = self.follow()
        paused.channel.pauseProducing()
        self.console.streams.stop()
        self.assertTrue(client.take().endswith(b"0\r\n\r\n"))
        self.assertTrue(paused.transport.gone)

    def test_json(self) -> None:
        self.change(2)
        rows = self.ask("GET", "/api/v1/events?after=0").json["rows"]
        self.assertEqual([row["row"] for row in rows], ["event", "last"])


class UpdateTests(StreamCase):
    hosts = 30

    def update(self, client: Client) -> Any:
        found = [each[2] for each in self.got(client) if each[0] == "update"]
        return next((each for each in found if each["hosts"] or each["removed"]), found)

    def test_changes(self) -> None:
        client = self.follow()
        self.assertEqual(len(self.update(client)["hosts"]), 30)
        self.change(9)
        self.turn(3, 1.0)
        [host] = self.update(client)["hosts"]
        self.assertEqual(host[:3], ["web", "prod", "h0"])
        self.assertEqual(host[2 + COLUMNS.index("weight")], 9)
        self.balancer.manager.delHost("web", "prod", "h3")
        self.turn(3, 1.0)
        self.assertEqual(self.update(client)["removed"], [["web", "prod", "h3"]])

    def test_clocks(self) -> None:
        """
        The two clocks are read one after the other, so their distance is a little different each
        time. No host has changed for that; all have if the system's clock was set.
        """
        [host, *_] = self.balancer.manager.getPool("web", "prod").hosts
        # A rounded time of the host is about to change.
        edge = 1e9 + 0.5 - host.since % 1
        epochs = [edge - 0.002, edge + 0.002, edge - 0.003, edge + 10.0]
        self.patch(_updates, "epochOf", lambda _: epochs[0])
        client = self.follow()
        counts = []
        while epochs:
            self.turn(3, 1.0)
            found = [each[2] for each in self.got(client) if each[0] == "update"]
            counts.append(sum(len(each["hosts"]) for each in found))
            del epochs[:1]
        self.assertEqual(counts, [30, 0, 0, 30])

    def test_events(self) -> None:
        """
        An event brings an update soon, which has what has changed alone. Many events bring no
        more than one each second.
        """
        self.console.streams._refresh = 1000.0
        client = self.follow()
        self.update(client)
        self.turn(10, 1.0)
        self.got(client)
        self.change(5)
        self.turn(60, 0.02)
        [update] = [each[2] for each in self.got(client) if each[0] == "update"]
        self.assertEqual([host[2] for host in update["hosts"]], ["h0"])
        for weight in range(10, 20):
            self.change(weight)
            self.turn(1, 0.1)
        self.turn(60, 0.02)
        found = [each[2] for each in self.got(client) if each[0] == "update"]
        self.assertLessEqual(len(found), 3)
        [host] = found[-1]["hosts"]
        self.assertEqual(host[2 + COLUMNS.index("weight")], 19)

    def test_underWay(self) -> None:
        """
        What happens while an update is made is in the next one, and soon.
        """
        self.console.streams._refresh = 1000.0
        client = self.follow()
        self.update(client)
        self.turn(10, 1.0)
        self.got(client)
        updates = self.console.streams._updates
        self.patch(_updates, "AT_ONCE", 5)
        updates.work()
        self.change(7)
        self.console.streams._updateNow()
        self.console.work.add(updates)
        self.turn(60, 0.02)
        found = [each[2] for each in self.got(client) if each[0] == "update"]
        self.assertEqual([len(each["hosts"]) for each in found if each["hosts"]], [1])

    def test_many(self) -> None:
        """
        Hosts go in several pieces.
        """
        self.patch(_updates, "IN_PIECE", 7)
        self.assertEqual(len(self.update(self.follow())["hosts"]), 30)

    def test_overview(self) -> None:
        overview = self.ask("GET", "/api/v1/overview").json
        [service] = overview["services"]
        self.assertEqual([len(each["hosts"]) for each in service["groups"]], [30, 0])
        self.assertEqual(overview["columns"], list(COLUMNS))
        self.assertEqual(overview["last"], self.console.streams.last)
        host = service["groups"][0]["hosts"][29]
        self.assertEqual(dict(zip(COLUMNS, host, strict=True))["name"], "h29")
