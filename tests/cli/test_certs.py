"""
C{txlb certs}.
"""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Self

from twisted.trial.unittest import SynchronousTestCase

from txlb.cli import _certs, main


class FakeClient:
    """
    A client whose answers are made up.
    """

    asked: list[str]

    def __init__(self, socket: object) -> None:
        self.socket = socket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def rows(self, command: str) -> list[dict[str, Any]]:
        self.asked.append(command)
        return [
            {"row": "certificate", "text": "a.example: ECDSA"},
            {"row": "fault", "text": "b.pem: broken"},
        ]


class CertsTests(SynchronousTestCase):
    """
    The subcommand.
    """

    def run_(self, *arguments: str) -> tuple[int, str]:
        FakeClient.asked = []
        self.patch(_certs, "Client", FakeClient)
        output = StringIO()
        with redirect_stdout(output):
            status = main(["certs", *arguments, "--socket", "/run/none"])
        return status, output.getvalue()

    def test_list(self) -> None:
        self.assertEqual(self.run_(), (0, "a.example: ECDSA\nb.pem: broken\n"))
        self.assertEqual(FakeClient.asked, ["Certificates"])

    def test_reload(self) -> None:
        """
        The status tells of faults.
        """
        self.assertEqual(self.run_("reload")[0], 1)
        self.assertEqual(FakeClient.asked, ["ReloadCertificates"])

    def test_json(self) -> None:
        status, output = self.run_("--json")
        self.assertEqual((status, len(json.loads(output))), (0, 2))
