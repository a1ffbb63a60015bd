"""
FreeRADIUS with a few users.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

from tests.integration.programs import Program
from tests.integration.support._ports import freePorts

_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

FREERADIUS = shutil.which("freeradius", path=_PLACES)

SECRET = "sh4red-between-us"

_SIGNED = "update reply {\n Message-Authenticator := 0x00\n }\n"

_CONFIGURATION = """\
name = radiusd
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
radacctdir = {folder}
pidfile = {folder}/pid
max_request_time = 30
cleanup_delay = 5
max_requests = 1024
log {{
 destination = stdout
 auth = no
}}
security {{
 reject_delay = {delay}
 status_server = yes
}}
proxy_requests = no
client four {{
 ipaddr = 127.0.0.1
 secret = {secret}
 require_message_authenticator = yes
}}
client six {{
 ipv6addr = ::1
 secret = {secret}
 require_message_authenticator = yes
}}
modules {{
 pap {{
 }}
 always handled {{
  rcode = handled
 }}
 files {{
  usersfile = {folder}/users
 }}
}}
server default {{
 listen {{
  type = auth
  ipaddr = 127.0.0.1
  port = {port}
 }}
{six}
 authorize {{
  files
  if (&User-Name == "otto" || &User-Name == "olga") {{
   if (!&State) {{
    update control {{
     Auth-Type := Step1
    }}
   }}
   else {{
    update control {{
     Cleartext-Password := "246810"
     Auth-Type := PAP
    }}
   }}
  }}
  else {{
   pap
  }}
 }}
 authenticate {{
  Auth-Type PAP {{
   pap
  }}
  Auth-Type Step1 {{
   pap
   update reply {{
    Reply-Message := "Code of the\\ntoken"
    State := 0x313233
    Filter-Id := "admins"
   }}
   if (&User-Name == "olga") {{
    update reply {{
     Prompt := Echo
    }}
   }}
   update control {{
    Response-Packet-Type := Access-Challenge
   }}
   handled
  }}
 }}
 post-auth {{
  {signed}
  Post-Auth-Type REJECT {{
   update reply {{
    Filter-Id := "admins"
    Reply-Message := "go away"
   }}
   {signed}
  }}
  Post-Auth-Type Challenge {{
   {signed}
  }}
 }}
}}
"""

_USERS = """\
anna Cleartext-Password := "anna-password"
 Filter-Id = "ops",
 Class = 0x6f7073,
 Cisco-AVPair = "shell:priv-lvl=15"
rita Cleartext-Password := "rita-password"
 Filter-Id = "lookers",
 Session-Timeout = 60
nina Cleartext-Password := "nina-password"
otto Cleartext-Password := "otto-password"
 Filter-Id = "ops"
olga Cleartext-Password := "olga-password"
 Filter-Id = "ops"
"""


class RADIUSServer:
    """
    A server with users, until L{stop}. The password of each user is C{NAME-password}; otto and
    olga are asked for a code, C{246810}, too; that of olga may be seen while it is typed.

    @param folder: has its files.
    @param signed: whether its answers have a Message-Authenticator.
    @param delay: seconds that a refusal takes.
    """

    def __init__(self, folder: Path, signed: bool = True, delay: float = 0) -> None:
        folder.mkdir()
        self.folder = folder
        self.port, sixPort = freePorts(2)
        self.sixPort = sixPort if _hasIPv6() else None
        six = f" listen {{\n type = auth\n ipv6addr = ::1\n port = {sixPort}\n }}\n"
        (folder / "users").write_text(_USERS)
        (folder / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
        (folder / "radiusd.conf").write_text(
            _CONFIGURATION.format(
                folder=folder,
                port=self.port,
                secret=SECRET,
                delay=delay,
                six=six if self.sixPort else "",
                signed=_SIGNED if signed else "",
            )
        )
        assert FREERADIUS is not None
        self.program = Program([FREERADIUS, "-f", "-X", "-d", folder], folder)
        self.program.waitFor("Ready to process requests")

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """
        Stop it.
        """
        self.program.stop(sign)


def _hasIPv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True
