"""
All peers.
"""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import twisted
import txlb
from benchmarks.peers._peer import Peer, Place, firstLine, installed
from benchmarks.programs import python

#: Names that figures and thresholds refer to.
DIRECT = "no proxy"
BASELINE = "haproxy"
AGAIN = "haproxy again"
SPLICE = "haproxy splice-auto"
TUNED = "haproxy tuned"
LEGACY = "1.1.0 design"
PORTABLE = "txlb portable"
FAST = "txlb fast"

HAPROXY_HOST = "    server {name} {address}"

_NGINX_MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
_APACHE_MODULES = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules")


def _haproxyVersion() -> str | None:
    return firstLine(installed("haproxy"), "-v")


def _haproxyCommand(place: Place) -> list[str]:
    return [installed("haproxy") or "haproxy", "-db", "-f", str(place.config)]


def _folderWith(module: str, folders: tuple[str, ...]) -> str | None:
    return next((folder for folder in folders if (Path(folder) / module).exists()), None)


def _nginxVersion() -> str | None:
    if _folderWith("ngx_stream_module.so", _NGINX_MODULES) is None:
        return None
    return firstLine(installed("nginx"), "-v")


def _nginxWords() -> dict[str, str]:
    return {"MODULES": _folderWith("ngx_stream_module.so", _NGINX_MODULES) or ""}


def _nginxCommand(place: Place) -> list[str]:
    log = str(place.folder / "nginx-error.log")
    return [installed("nginx") or "nginx", "-e", log, "-c", str(place.config)]


def apacheVersion() -> str | None:
    """
    Return the version of Apache httpd, if it is installed.
    """
    if _folderWith("mod_proxy_balancer.so", _APACHE_MODULES) is None:
        return None
    return firstLine(installed("apache2", "httpd"), "-v")


def apacheWords() -> dict[str, str]:
    """
    Return the folder of its modules, and its user.
    """
    user = "www-data" if any(entry.pw_name == "www-data" for entry in pwd.getpwall()) else "nobody"
    if os.geteuid():
        user = pwd.getpwuid(os.geteuid()).pw_name
    group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    modules = _folderWith("mod_proxy_balancer.so", _APACHE_MODULES) or ""
    return {"MODULES": modules, "USER": user, "GROUP": group}


def apacheCommand(place: Place) -> list[str]:
    """
    Apache httpd in the foreground.
    """
    return [
        installed("apache2", "httpd") or "apache2",
        "-D",
        "FOREGROUND",
        "-d",
        str(place.folder),
        "-f",
        str(place.config),
    ]


def _haproxy(name: str, settings: str, template: str) -> Peer:
    settings = f"HAProxy, TCP mode, one thread, leastconn, {settings}"
    return Peer(name, settings, _haproxyCommand, _haproxyVersion, template, HAPROXY_HOST)


def _txlb(name: str, relay: str, interpreter: str = "") -> Peer:
    start = ("-c", "from twisted.scripts.twistd import run; run()", "--pidfile=", "-n", "txlb")
    # PYTHONPATH names the code of this checkout.
    before = ["env", "-u", "PYTHONPATH", interpreter]
    command = (lambda *words: [*before, *words]) if interpreter else python
    return Peer(
        name,
        f"twistd -n txlb, the {relay} relay, leastc, accounting and deadlines on",
        lambda place: command(*start, "-c", str(place.config)),
        lambda: f"txlb {txlb.__version__}",
        "txlb.xml",
        '      <host name="{name}" ip="{address}"/>',
        lambda: {"RELAY": relay},
    )


def txlbOf(interpreter: str, relay: str) -> Peer:
    """
    Describe the txlb that another interpreter has, for a comparison with this one.

    @param interpreter: a path of a Python that has another txlb installed.
    @param relay: C{"fast"} or C{"portable"}.
    """
    return _txlb(f"txlb {relay} before", relay, interpreter)


def _inPython(name: str, settings: str, module: str) -> Peer:
    return Peer(
        name,
        settings,
        lambda place: python("-m", f"benchmarks.peers.{module}", *place.words),
        lambda: f"Twisted {twisted.__version__}",
    )


PEERS = (
    _haproxy(BASELINE, "default: nothing about splicing", "haproxy.cfg"),
    _haproxy(AGAIN, "default, a second one that shows the noise", "haproxy.cfg"),
    _haproxy(SPLICE, "option splice-auto", "haproxy-splice-auto.cfg"),
    _haproxy(
        TUNED,
        "option splice-request, option splice-response, tune.pipesize 1048576",
        "haproxy-tuned.cfg",
    ),
    Peer(
        "nginx",
        "nginx stream, one worker, least_conn",
        _nginxCommand,
        _nginxVersion,
        "nginx.conf",
        "        server {address};",
        _nginxWords,
    ),
    Peer(
        "apache",
        "Apache httpd, mod_proxy_balancer, bybusyness: HTTP mode, one process of the event MPM, "
        "connections to the hosts are kept",
        apacheCommand,
        apacheVersion,
        "apache.conf",
        '    BalancerMember "http://{address}"',
        apacheWords,
        http=True,
    ),
    _inPython("portforward", "twisted.protocols.portforward, to one host", "portforward"),
    _inPython(
        LEGACY,
        "a relay of txLoadBalancer 1.1.0's design written anew: two protocols, no backpressure",
        "legacy",
    ),
    _txlb(PORTABLE, "portable"),
    _txlb(FAST, "fast"),
)


#: The site of the question of 2008: no proxy, but it is started like one.
WEBAPP = _inPython("webapp", "a twisted.web site that makes a page of 2 KiB", "webapp")


def apacheServing(folder: Path) -> Peer:
    """
    Apache httpd that serves the files of a folder.
    """
    return Peer(
        "apache alone",
        "Apache httpd that serves the page as a file: one process of the event MPM",
        apacheCommand,
        apacheVersion,
        "apache-alone.conf",
        words=lambda: {"PAGES": str(folder), **apacheWords()},
    )


def peerNamed(name: str) -> Peer:
    """
    Return the peer of a name.
    """
    return next(peer for peer in PEERS if peer.name == name)
