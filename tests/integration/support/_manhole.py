"""
OpenSSH's client at the manhole.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.programs import PATIENCE
from tests.integration.support._case import IntegrationTestCase


class Manhole:
    """
    Somebody with a key who types at the prompt of a balancer.

    @param port: where the balancer's manhole listens.

    @ivar xml: what the configuration file has to say for it.
    """

    def __init__(self, case: IntegrationTestCase, port: int) -> None:
        case.need("ssh", "ssh-keygen")
        self._key = case.folder / "key"
        self._port = port
        keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key))
        subprocess.run(keygen, check=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        self.xml = f"""
          <admin>
            <ssh listen="127.0.0.1:{port}" enable="yes"/>
            <user name="admin" authorizedKeys="key.pub" access="full"/>
          </admin>"""

    def command(self) -> list[str | Path]:
        """
        The program and its arguments, up to what is to be run.
        """
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "LogLevel=ERROR",
        )
        words: list[str | Path] = ["ssh", "-F", "none", "-i", self._key, "-p", str(self._port)]
        for option in options:
            words += ["-o", option]
        return [*words, "admin@127.0.0.1"]

    def run(self, *lines: str) -> str:
        """
        Run lines at the prompt.

        @return: what they printed.
        @raise AssertionError: one of them failed.
        """
        done = subprocess.run(
            self.command(),
            input="".join(f"{line}\n" for line in lines),
            check=False,
            timeout=PATIENCE,
            capture_output=True,
            encoding="utf-8",
        )
        if done.returncode or done.stderr:
            raise AssertionError(f"{lines} ended with {done.returncode}: {done.stderr}")
        return done.stdout
