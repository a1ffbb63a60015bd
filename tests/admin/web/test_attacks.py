"""
Attacks on the console by clients that have not logged in, and by pages of other sites.
"""

from __future__ import annotations

import base64
from urllib.parse import quote

from twisted.internet.defer import Deferred, fail

from tests.admin.web.asking import ConsoleCase
from txlb.admin._newtoken import hashToken, newToken
from txlb.admin.login import LoginRefused, SourceUnavailable
from txlb.admin.login._refused import TOLD
from txlb.config import AdminUser

DRAIN = "/api/v1/services/web/groups/prod/hosts/h0/drain"
OWN = {"Origin": "http://127.0.0.1:8081"}


class SessionTests(ConsoleCase):
    def test_logIn(self) -> None:
        answer = self.logIn()
        self.assertEqual(answer.json["access"], "full")
        self.assertRegex(
            answer.headers["set-cookie"],
            r"^txlb=[\w-]{22}; Path=/; HttpOnly; SameSite=strict$",
        )
        cookie = self.cookieOf(answer)
        found = self.ask("GET", "/api/v1/session", token=None, headers={"Cookie": cookie})
        self.assertEqual(found.json["user"], "full")
        [registered] = self.logins.sessions
        self.assertEqual((registered.door, registered.address), ("web", "127.0.0.1:5000"))

    def test_fixation(self) -> None:
        """
        A session that was there before the login is not the one after it.
        """
        first = self.cookieOf(self.logIn("readonly"))
        for planted in (first, "txlb=AAAAAAAAAAAAAAAAAAAAAA"):
            second = self.cookieOf(self.logIn("full", cookie=planted))
            self.assertNotEqual(second, planted)
            found = self.ask("GET", "/api/v1/session", token=None, headers={"Cookie": planted})
            self.assertEqual(found.status, 401)

    def test_logOut(self) -> None:
        cookie = {"Cookie": self.cookieOf(self.logIn())}
        answer = self.ask("POST", "/api/v1/logout", {}, token=None, headers={**cookie, **OWN})
        self.assertEqual(answer.status, 204)
        self.assertIn("Max-Age=0", answer.headers["set-cookie"])
        self.assertEqual(len(self.logins.sessions), 0)
        self.assertEqual(self.ask("GET", "/api/v1/status", token=None, headers=cookie).status, 401)

    def test_changedUser(self) -> None:
        """
        A session ends when its user is removed or changed.
        """
        cookie = {"Cookie": self.cookieOf(self.logIn())}
        users = [AdminUser("full", "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAA", access="full")]
        self.logins.setUsers(users)
        self.console.authority.usersChanged()
        self.assertEqual(self.ask("GET", "/api/v1/status", token=None, headers=cookie).status, 401)

    def test_endedByAnotherDoor(self) -> None:
        cookie = {"Cookie": self.cookieOf(self.logIn())}
        [registered] = self.logins.sessions
        self.logins.sessions.end(registered.id)
        self.assertEqual(self.ask("GET", "/api/v1/status", token=None, headers=cookie).status, 401)


class GuessingTests(ConsoleCase):
    def test_enumeration(self) -> None:
        """
        A user that does not exist costs the same verification of a hash, and gets the same
        answer.
        """
        counted = 0
        check = self.checks._check

        def counting(stored: str | None, password: bytes) -> bool:
            nonlocal counted
            counted += 1
            return check(stored, password)

        self.patch(self.checks, "_check", counting)
        unknown, known = self.logIn("nemo", "x"), self.logIn("full", "x")
        self.assertEqual(counted, 2)
        self.assertEqual((unknown.status, unknown.body), (known.status, known.body))
        self.assertEqual(unknown.status, 401)

    def test_bruteForce(self) -> None:
        for _ in range(10):
            self.assertEqual(self.logIn("full", "wrong").status, 401)
        self.assertEqual(self.logIn("full", "secret").status, 401)
        # Another account, and after a minute this one, can log in.
        self.assertEqual(self.logIn("operator", "secret").status, 200)
        self.turn(60, 2.0)
        self.assertEqual(self.logIn("full", "secret").status, 200)

    def test_wrongLogins(self) -> None:
        for body in (
            {"user": "full"},
            {"user": "full", "password": 5},
            {"user": "x" * 300, "password": "x"},
            {"user": "full", "password": "secret", "more": 1},
            {"user": "\ud800", "password": "\ud800"},
        ):
            answer = self.ask("POST", "/api/v1/login", body, token=None)
            self.assertIn(answer.status, {401, 422})

    def test_unavailable(self) -> None:
        """
        If a login server does not answer, nothing is said of the password.
        """

        def unavailable(_: object) -> Deferred[object]:
            return fail(SourceUnavailable("ldap does not answer"))

        self.patch(self.logins, "login", unavailable)
        answer = self.logIn()
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.detail, TOLD)

    def test_tooManySessions(self) -> None:
        def full(*_: object) -> None:
            raise LoginRefused("there are 2048 sessions already")

        self.patch(self.logins.sessions, "open", full)
        self.assertEqual(self.logIn().status, 503)
        self.assertEqual(len(self.console.sessions), 0)

    def test_basic(self) -> None:
        """
        Metrics take a login by Basic, with bounds.
        """
        for text, status in (
            ("full:secret", 200),
            ("any:txlb_readonly", 200),
            ("full:wrong", 401),
            ("x" * 300 + ":x", 401),
            ("full:" + "x" * 2000, 401),
        ):
            credentials = base64.b64encode(text.encode()).decode()
            headers = {"Authorization": f"Basic {credentials}"}
            answer = self.ask("GET", "/metrics", token=None, headers=headers)
            self.assertEqual(answer.status, status, text[:20])
        for wrong in ("Basic !!!", "Basic /w=="):
            answer = self.ask("GET", "/metrics", token=None, headers={"Authorization": wrong})
            self.assertEqual(answer.status, 401)

    def test_tokens(self) -> None:
        for text in ("txlb_wrong", "", "x" * 300, "txlb_full extra"):
            headers = {"Authorization": f"Bearer {text}"}
            answer = self.ask("GET", "/api/v1/status", token=None, headers=headers)
            self.assertEqual(answer.status, 401)
        headers = {"Authorization": "Basic ZnVsbDpzZWNyZXQ="}
        self.assertEqual(self.ask("GET", "/api/v1/status", token=None, headers=headers).status, 401)
        self.assertRegex(newToken(), r"^txlb_[\w-]{43}$")
        self.assertRegex(hashToken(newToken()), r"^sha256:[0-9a-f]{64}$")


class OtherSiteTests(ConsoleCase):
    def test_forgedRequests(self) -> None:
        cookie = {"Cookie": self.cookieOf(self.logIn())}
        for headers, status in (
            ({"Sec-Fetch-Site": "same-origin"}, 200),
            (OWN, 200),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "none"}, 403),
            ({"Sec-Fetch-Site": "cross-site", **OWN}, 403),
            ({"Origin": "http://127.0.0.1:9"}, 403),
            ({"Origin": "https://127.0.0.1:8081"}, 403),
            ({"Origin": "null"}, 403),
            ({}, 403),
            ({**OWN, "Content-Type": "application/x-www-form-urlencoded"}, 415),
            ({**OWN, "Content-Type": "text/plain"}, 415),
        ):
            answer = self.ask("POST", DRAIN, {}, token=None, headers={**cookie, **headers})
            self.assertEqual(answer.status, status, headers)
            self.balancer.manager.ready("web", "prod", "h0")

    def test_forgedLogin(self) -> None:
        body = {"user": "full", "password": "secret"}
        headers = {"Origin": "http://evil.example"}
        answer = self.ask("POST", "/api/v1/login", body, token=None, headers=headers)
        self.assertEqual(answer.status, 403)

    def test_rebinding(self) -> None:
        for host, status in (
            ("127.0.0.1:8081", 200),
            ("127.0.0.1", 200),
            ("localhost:8081", 200),
            ("LOCALHOST.", 200),
            ("[::1]:8081", 200),
            ("evil.example:8081", 421),
            ("127.0.0.1.evil.example", 421),
            ("10.0.0.1:8081", 421),
            ("localhost@evil.example", 400),
            ("", 400),
        ):
            for path in ("/", "/api/v1/status", "/api/openapi.json"):
                self.assertEqual(self.ask("GET", path, host=host).status, status, host)
            # Other programs ask for these by any name, and learn nothing.
            self.assertIn(self.ask("GET", "/health", host=host).status, {200, 400})

    def test_twoHosts(self) -> None:
        answer = self.ask("GET", "/api/v1/status", headers={"Host": "localhost"})
        self.assertEqual(answer.status, 400)

    def test_clickjacking(self) -> None:
        for path in ("/", "/nothing", "/api/v1/status"):
            headers = self.ask("GET", path, token=None).headers
            self.assertEqual(headers["x-frame-options"], "DENY")
            self.assertIn("frame-ancestors 'none'", headers["content-security-policy"])
            self.assertIn("require-trusted-types-for 'script'", headers["content-security-policy"])
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertNotIn("server", headers)

    def test_scripts(self) -> None:
        """
        Names are data in every answer: of a type that no browser takes for a page, and without
        characters that a terminal acts on.
        """
        for name in ("<img src=x onerror=alert(1)>", "\u202eevil", "\x1b[31mred", "\x00"):
            for answer in (
                self.logIn(name, "x"),
                self.ask("POST", DRAIN.replace("h0", "x"), {name: 1}),
                self.ask("PATCH", DRAIN.removesuffix("/drain"), {"state": name}),
            ):
                self.assertIn(answer.status, {401, 422})
                self.assertEqual(answer.headers["content-type"], "application/problem+json")
                self.assertTrue(answer.body.isascii() and answer.body.decode().isprintable())

    def test_names(self) -> None:
        """
        Names of hosts, reasons and events are data too.
        """
        names = ["<img src=x onerror=alert(1)>", "a&b <script> 'x'"]
        for name in names:
            self.balancer.manager.addHost("web", "prod", name, "127.0.0.1:9")
        for path in (
            "/api/v1/overview",
            "/api/v1/services",
            "/api/v1/status",
            "/api/v1/events",
            "/api/v1/services/web/groups/prod/hosts/" + quote(names[1], safe=""),
        ):
            answer = self.ask("GET", path)
            self.assertEqual(
                (answer.status, answer.headers["content-type"]), (200, "application/json")
            )
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            self.assertIn(names[1], answer.body.decode())

    def test_traversal(self) -> None:
        for path in (
            "/../../_service.py",
            "/..%2f..%2f_service.py",
            "/static/../__init__.py",
            "/%2e%2e/__init__.py",
            "/console.js%00",
            "//etc/passwd",
            "/etc/passwd",
            "/api/v1/services/..%2f..%2fhealth",
        ):
            self.assertEqual(self.ask("GET", path).status, 404, path)
        self.assertEqual(self.ask("GET", "/%ff").status, 400)
        self.assertEqual(self.ask("GET", "/a" * 20).status, 404)
        self.assertEqual(self.ask("POST", "/console.js", {}).status, 405)

    def test_files(self) -> None:
        first = self.ask("GET", "/console.js", token=None)
        headers = {"If-None-Match": first.headers["etag"]}
        self.assertEqual(self.ask("GET", "/console.js", token=None, headers=headers).status, 304)


class HostNameTests(ConsoleCase):
    hostNames = ("lb.example.com",)

    def test_names(self) -> None:
        self.assertEqual(self.ask("GET", "/", host="lb.example.com:8081").status, 200)
        answer = self.ask("GET", "/", host="localhost")
        self.assertIn("hostNames", answer.detail)
