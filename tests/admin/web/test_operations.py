"""
Tests for L{txlb.admin.web._operations}, L{txlb.admin.web._openapi}, and of every route for
every access.
"""

from __future__ import annotations

import re

from openapi_spec_validator import validate

from tests.admin.web.asking import ACCESSES, ConsoleCase
from txlb.admin import COMMANDS
from txlb.admin._access import LEVELS

#: What stands in paths in the place of arguments.
NAMES = {"service": "web", "group": "prod", "host": "h0", "listener": "web"}


class TableTests(ConsoleCase):
    def test_everyCommand(self) -> None:
        """
        Each command of the list is an operation of its name.
        """
        names = [each.name for each in self.console.operations.all]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({each.name for each in COMMANDS} - set(names), set())

    def test_document(self) -> None:
        document = self.ask("GET", "/api/openapi.json", token=None).json
        validate(document)
        drain = document["paths"]["/api/v1/services/{service}/groups/{group}/hosts/{host}/drain"]
        self.assertEqual(
            sorted(drain["post"]["responses"]),
            [
                "200",
                "400",
                "401",
                "403",
                "404",
                "409",
                "412",
                "413",
                "415",
                "421",
                "422",
                "431",
                "503",
            ],
        )


class AccessTests(ConsoleCase):
    def test_everyRoute(self) -> None:
        """
        Every route refuses a client without a login, and each access that is too low; then
        nothing has happened.
        """
        before = self.balancer.manager.services
        refused = 0
        for operation in self.console.operations.all:
            path = re.sub(r"\{(\w+)\}", lambda found: NAMES[found[1]], operation.path)
            if not operation.access:
                continue
            answer = self.ask(operation.method, path, {}, token=None)
            if operation.openable:
                continue
            self.assertEqual(answer.status, 401, (operation.method, path))
            for access in ACCESSES[: LEVELS.index(operation.access)]:
                answer = self.ask(operation.method, path, {}, token=access)
                self.assertEqual(answer.status, 403, (operation.method, path, access))
                self.assertIn(f"needs {operation.access} access", answer.detail)
                refused += 1
        self.assertGreater(refused, 40)
        self.assertEqual(dict(self.balancer.manager.services), dict(before))
        self.assertEqual(self.balancer.configuration.calls, [])

    def test_sharedRoutes(self) -> None:
        """
        Of the commands that share a method and a resource, each needs its own access.
        """
        path = "/api/v1/services/web/groups/prod/hosts/h0"
        answer = self.ask("PATCH", path, {"maxConnections": 3}, token="operator")
        self.assertEqual(answer.status, 403)
        self.assertEqual(self.ask("PATCH", path, {"weight": 3}, token="operator").status, 200)
