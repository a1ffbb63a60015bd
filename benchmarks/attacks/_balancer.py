"""
The balancer that is attacked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.configurations import configuration, hostElements, quietHosts, service
from benchmarks.machine import PROXY_CORE, startingOn
from benchmarks.peers import Running
from benchmarks.programs import ROOT, Program, freePort
from benchmarks.tls._files import Files
from benchmarks.traffic import Backend

#: Hosts of the service whose status is asked for; no client connects to them.
HOSTS = 2000

#: Keys of the user that the attack offers keys for.
KEYS = 100

#: Seconds that an administrator tries to log in.
PATIENCE = 15

ADMIN = """\
  <admin>
    <ssh listen="127.0.0.1:{ssh}" enable="yes"/>
    <user name="admin" authorizedKeys="admin.pub" access="full"/>
    <user name="many" authorizedKeys="many.keys" access="full"/>
  </admin>
  <control socket="control/socket"/>"""


@dataclass
class Balancer:
    """
    A balancer that runs.

    @ivar ssh: where its prompt is.
    @ivar control: its control socket.
    @ivar checked: a host that it checks, which refuses connections.
    @ivar probed: one that it asks for its load, likewise.
    @ivar tls: where it ends TLS.
    """

    running: Running
    folder: Path
    ssh: tuple[str, int]
    control: Path
    checked: tuple[str, int]
    probed: tuple[str, int]
    tls: tuple[str, int]

    def login(self) -> float | None:
        """
        Log in as an administrator does, with OpenSSH's client.

        @return: how many seconds that took; L{None} if it failed.
        """
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "LogLevel=ERROR",
            f"ConnectTimeout={PATIENCE}",
        )
        words = ["ssh", "-F", "none", "-i", str(self.folder / "admin"), "-p", str(self.ssh[1])]
        for option in options:
            words += ["-o", option]
        began = time.monotonic()
        try:
            done = subprocess.run(
                [*words, "admin@127.0.0.1", "6 * 7"],
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=PATIENCE + 5,
            )
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - began if done.stdout == b"42\n" else None


def startBalancer(folder: Path, backend: Backend, source: Path = ROOT / "src") -> Balancer:
    """
    Start one, and wait until it listens.

    @param source: the folder with the code that is to run.
    @raise ProgramError: it does not start.
    """
    _makeKeys(folder)
    (folder / "made").mkdir()
    shutil.copytree(Files.make(folder / "made").ecdsa.parent, folder / "certificates")
    ports = [freePort() for _ in range(8)]
    listen, ssh, checked, probed, *aside = ports
    hosts = hostElements(f"{host}:{port}" for host, port in backend.addresses)
    certificates = '<tls certificates="certificates" maxHandshakesPerClient="2000"/>'
    config = configuration(
        service("web", f"127.0.0.1:{listen}", hosts),
        service("secure", f"127.0.0.1:{aside[3]}", hosts, ofListener=certificates),
        service(
            "checked",
            f"127.0.0.1:{aside[0]}",
            hostElements([f"127.0.0.1:{checked}"]),
            ofGroup='<check type="http" contains="no such text" interval="0.5"/>',
        ),
        service(
            "probed",
            f"127.0.0.1:{aside[1]}",
            hostElements([f"127.0.0.1:{probed}"]),
            scheduler="resource",
            ofGroup=f'<resource probe="http" port="{probed}" interval="0.5"/>',
        ),
        service("large", f"127.0.0.1:{aside[2]}", quietHosts(HOSTS), scheduler="rand"),
        ADMIN.format(ssh=ssh),
    )
    (folder / "config.xml").write_text(config, encoding="utf-8")
    command = [
        sys.executable,
        "-c",
        "from twisted.scripts.twistd import run; run()",
        *("--pidfile=", "-n", "txlb", "-c", str(folder / "config.xml")),
    ]
    with startingOn(PROXY_CORE):
        program = Program("balancer", command, folder, source)
    running = Running("balancer", ("127.0.0.1", listen), backend, program=program)
    program.waitForPort(("127.0.0.1", ssh))
    program.waitForPort(running.address)
    return Balancer(
        running,
        folder,
        ("127.0.0.1", ssh),
        folder / "control" / "socket",
        ("127.0.0.1", checked),
        ("127.0.0.1", probed),
        ("127.0.0.1", aside[3]),
    )


def _makeKeys(folder: Path) -> None:
    """
    Make an administrator's key, and a file of many keys.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    (folder / "admin").write_bytes(private)
    (folder / "admin").chmod(0o600)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    (folder / "admin.pub").write_bytes(public + b"\n")
    many = [
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        for _ in range(KEYS)
    ]
    (folder / "many.keys").write_bytes(b"\n".join(many) + b"\n")
    for name in ("admin.pub", "many.keys"):
        (folder / name).chmod(0o600)


def canLogIn() -> bool:
    """
    Whether OpenSSH's client is installed.
    """
    return shutil.which("ssh", path=os.environ.get("PATH")) is not None
