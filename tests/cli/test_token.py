"""
Tests for L{txlb.cli._token}.
"""

from __future__ import annotations

from tests.cli.support import CommandTests
from txlb.admin._newtoken import hashToken


class TokenTests(CommandTests):
    def test_made(self) -> None:
        status, out, err = self.run_("token", "grafana")
        token = out.strip()
        self.assertEqual((status, out), (0, f"{token}\n"))
        self.assertRegex(token, r"^txlb_[\w-]{43}$")
        last = err.splitlines()[-1]
        self.assertEqual(
            last, f'<token name="grafana" hash="{hashToken(token)}" access="readonly"/>'
        )

    def test_access(self) -> None:
        _, _, err = self.run_("token", 'a "b" <c>', "--access", "operator")
        self.assertIn("name='a \"b\" &lt;c&gt;'", err)
        self.assertIn('access="operator"', err)
