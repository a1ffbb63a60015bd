"""
Tests for L{txlb.admin.web._resource} and the operations, over bytes.
"""

from __future__ import annotations

from tests.admin.web.asking import ConsoleCase

HOST = "/api/v1/services/web/groups/prod/hosts/h0"


class LookingTests(ConsoleCase):
    def test_status(self) -> None:
        answer = self.ask("GET", "/api/v1/status?service=web", token="readonly")
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            [row["row"] for row in answer.json["rows"]][:3], ["listener", "service", "group"]
        )

    def test_tree(self) -> None:
        found = self.ask("GET", "/api/v1/services").json["services"]
        self.assertEqual([each["name"] for each in found], ["web"])
        self.assertEqual(self.ask("GET", "/api/v1/services/web").json, found[0])
        groups = self.ask("GET", "/api/v1/services/web/groups").json["groups"]
        self.assertEqual([each["name"] for each in groups], ["prod", "test"])
        group = self.ask("GET", "/api/v1/services/web/groups/prod").json
        self.assertEqual([each["name"] for each in group["hosts"]], ["h0", "h1"])
        hosts = self.ask("GET", "/api/v1/services/web/groups/prod/hosts").json["hosts"]
        self.assertEqual(hosts, group["hosts"])
        host = self.ask("GET", HOST).json
        self.assertEqual(host["settings"]["weight"], 1)
        self.assertEqual(host["origins"]["weight"], "default")
        self.assertEqual(host["origins"]["address"], "file")
        self.ask("PATCH", HOST, {"weight": 4})
        self.assertEqual(self.ask("GET", HOST).json["origins"]["weight"], "live")
        listeners = self.ask("GET", "/api/v1/listeners").json["listeners"]
        self.assertEqual(self.ask("GET", "/api/v1/listeners/web").json, listeners[0])

    def test_unknown(self) -> None:
        for path in (
            "/api/v1/services/wob",
            "/api/v1/services/web/groups/prid",
            "/api/v1/services/web/groups/prod/hosts/h7",
            "/api/v1/listeners/wob",
            "/api/v1/services/wob/explain",
            "/api/v1/nothing",
            "/api",
            "/nothing.html",
        ):
            answer = self.ask("GET", path)
            self.assertEqual(answer.status, 404, path)
            self.assertTrue(answer.detail)
        self.assertIn("did you mean 'web'?", self.ask("GET", "/api/v1/services/wob").detail)

    def test_methods(self) -> None:
        answer = self.ask("DELETE", "/api/v1/status")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD, OPTIONS"))
        self.assertEqual(self.ask("OPTIONS", "/api/v1/status").status, 204)
        self.assertEqual(self.ask("HEAD", "/api/v1/status").body, b"")

    def test_open(self) -> None:
        for path in ("/health", "/ready", "/api/openapi.json", "/", "/login", "/console.js"):
            self.assertEqual(self.ask("GET", path, token=None).status, 200, path)

    def test_notReady(self) -> None:
        self.balancer.manager.getCounters("web").notAccepting = "standby"
        answer = self.ask("GET", "/ready", token=None)
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.detail, "1 of 1 services accept no clients now")


class ChangingTests(ConsoleCase):
    def weight(self) -> int:
        return int(self.balancer.manager.getHost("web", "prod", "h0").weight)

    def test_command(self) -> None:
        answer = self.ask("POST", f"{HOST}/weight", {"weight": 7}, token="operator")
        self.assertEqual(answer.status, 200)
        (row,) = answer.json["rows"]
        self.assertEqual((row["kind"], row["by"]), ("host-weight", "token:operator"))
        self.assertEqual(self.weight(), 7)

    def test_patch(self) -> None:
        manager = self.balancer.manager
        for body, name, value in (
            ({"weight": 3}, "weight", 3),
            ({"state": "drain", "deadline": 5}, "state", "drain"),
            ({"state": "ready"}, "state", "ready"),
            ({"maxConnections": 9}, "maxConnections", 9),
            ({"maxConnections": None}, "maxConnections", None),
        ):
            answer = self.ask("PATCH", HOST, body)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(getattr(manager.getHost("web", "prod", "h0"), name), value)
        group = "/api/v1/services/web/groups/test"
        self.assertEqual(self.ask("PATCH", group, {"scheduler": "rand"}).status, 200)
        self.assertEqual(self.ask("PATCH", group, {"enabled": True}).status, 200)
        self.assertEqual(manager.getService("web").enabledGroup.name, "test")

    def test_wrongBodies(self) -> None:
        for method, path, body, status, text in (
            ("PATCH", HOST, {"weight": 70000}, 422, "65535"),
            ("PATCH", HOST, {"weight": "3"}, 422, "whole number"),
            ("PATCH", HOST, {"weight": 3, "maxConnections": 4}, 422, "requests of their own"),
            ("PATCH", HOST, {"state": "up"}, 422, "drain, maintenance, ready"),
            ("PATCH", HOST, {"wheight": 3}, 422, "wheight"),
            ("PATCH", HOST, {}, 422, "nothing to change"),
            ("PATCH", HOST, {"host": "h1", "weight": 3}, 422, "in the path"),
            ("PATCH", HOST, b"[]", 422, "JSON object"),
            ("PATCH", HOST, b"{", 400, "no JSON"),
            ("PATCH", HOST, b"[" * 5000, 400, "no JSON"),
            ("PATCH", HOST, b'{"weight": NaN}', 400, "no JSON"),
            ("PATCH", HOST, b"\xff", 400, "no JSON"),
            ("PATCH", HOST, b"", 400, "needs a body"),
            ("POST", f"{HOST}/weight", {"wait": 1}, 422, "weight"),
            ("POST", f"{HOST}/weight", {"host": "h1", "weight": 1}, 422, "in the path"),
            ("POST", f"{HOST}/set-host", {"settings": {"maxConnections": {}}}, 422, "settings"),
            ("POST", f"{HOST}/set-host", {"settings": []}, 422, "settings"),
        ):
            answer = self.ask(method, path, body)
            self.assertEqual(answer.status, status, (path, body, answer.body))
            self.assertIn(text, answer.detail)
        self.assertEqual(self.weight(), 1)

    def test_addAndRemove(self) -> None:
        path = "/api/v1/services/web/groups/prod/hosts/new"
        added = self.ask("PUT", path, {"address": "127.0.0.1:9", "maxConnections": 4})
        self.assertEqual(added.status, 200)
        self.assertEqual(self.ask("GET", path).json["maxConnections"], 4)
        self.assertEqual(self.ask("PUT", path, {"address": "127.0.0.1:9"}).status, 409)
        self.assertEqual(self.ask("DELETE", f"{path}?force=yes").status, 200)
        self.assertEqual(self.ask("DELETE", path).status, 404)

    def test_media(self) -> None:
        answer = self.ask(
            "POST", f"{HOST}/drain", b"deadline=1", headers={"Content-Type": "text/plain"}
        )
        self.assertEqual(answer.status, 415)

    def test_query(self) -> None:
        for query, status in (("services=web", 422), ("service=a&service=b", 422), ("%ff=1", 400)):
            self.assertEqual(self.ask("GET", f"/api/v1/status?{query}").status, status)

    def test_lateErrors(self) -> None:
        """
        A command that finds only while it answers that it can't is an error too.
        """
        path = "/api/v1/services/web/explain?serverName=-"
        answer = self.ask("GET", path)
        self.assertEqual(answer.status, 422)
        self.assertIn("a name such as", answer.detail)

    def test_failure(self) -> None:
        """
        An error that is no one's purpose is logged, and tells nothing.
        """

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("secret")

        self.patch(self.balancer.manager, "drain", broken)
        answer = self.ask("POST", f"{HOST}/drain", {})
        self.assertEqual(answer.status, 500)
        self.assertNotIn("secret", answer.detail)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class VersionTests(ConsoleCase):
    def test_match(self) -> None:
        tag = self.ask("GET", HOST).headers["etag"]
        self.assertEqual(self.ask("GET", HOST).headers["etag"], tag)
        changed = self.ask("PATCH", HOST, {"weight": 2}, headers={"If-Match": tag})
        self.assertEqual(changed.status, 200)
        self.assertNotEqual(changed.headers["etag"], tag)
        self.assertEqual(self.ask("GET", HOST).headers["etag"], changed.headers["etag"])

    def test_conflict(self) -> None:
        tag = self.ask("GET", HOST).headers["etag"]
        self.ask("PATCH", HOST, {"weight": 2})
        answer = self.ask("PATCH", HOST, {"weight": 3}, headers={"If-Match": tag})
        self.assertEqual(answer.status, 412)
        self.assertEqual(answer.json["differs"], ["host web/prod/h0: weight 1 -> 2"])
        self.assertEqual(self.balancer.manager.getHost("web", "prod", "h0").weight, 2)
        again = {"If-Match": answer.headers["etag"]}
        self.assertEqual(self.ask("PATCH", HOST, {"weight": 3}, headers=again).status, 200)

    def test_others(self) -> None:
        """
        A change of another host is none of this one, and one of its group.
        """
        group = "/api/v1/services/web/groups/prod"
        host, whole = (self.ask("GET", path).headers["etag"] for path in (HOST, group))
        self.ask("PATCH", f"{group}/hosts/h1", {"weight": 2})
        self.assertEqual(self.ask("GET", HOST).headers["etag"], host)
        self.assertNotEqual(self.ask("GET", group).headers["etag"], whole)

    def test_listener(self) -> None:
        path = "/api/v1/listeners/web"
        tag = {"If-Match": self.ask("GET", path).headers["etag"]}
        self.assertEqual(self.ask("PATCH", path, {"address": "90"}, headers=tag).status, 200)
        self.assertEqual(self.ask("PATCH", path, {"address": "91"}, headers=tag).status, 412)

    def test_absent(self) -> None:
        path = "/api/v1/services/web/groups/prod/hosts/new"
        body = {"address": "127.0.0.1:9"}
        answer = self.ask("PUT", path, body, headers={"If-Match": '"x"'})
        self.assertEqual(answer.status, 412)
