"""
The peers, by what they do with TLS.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.peers import (
    AGAIN,
    BASELINE,
    FAST,
    PORTABLE,
    Peer,
    Place,
    firstLine,
    installed,
    peerNamed,
)
from benchmarks.programs import ROOT, python
from benchmarks.tls._authority import NAME
from benchmarks.tls._files import Files

#: Names of peers.
NGINX = "nginx"
STUNNEL = "stunnel"
OTHER = "haproxy other"
BEFORE = "txlb fast before"
PLAIN = "txlb fast, plain"


class Mode(enum.Enum):
    """
    The side on which the proxy speaks TLS.
    """

    IN = "TLS with clients"
    BOTH = "TLS with clients and hosts"
    #: It reads the name in the ClientHello, and passes TLS through.
    NAMES = "TLS passed through by its name"
    #: It passes bytes through.
    PLAIN = "TLS passed through"


@dataclass(frozen=True)
class Scene:
    """
    A way to set up TLS.

    @ivar files: the certificates.
    @ivar certificate: the one for clients.
    @ivar tickets: whether sessions can be resumed.
    """

    mode: Mode
    files: Files
    certificate: Path
    tickets: bool = True

    @property
    def endsTLS(self) -> bool:
        """
        Whether clients speak TLS with the proxy.
        """
        return self.mode in (Mode.IN, Mode.BOTH)

    @property
    def hostsHaveTLS(self) -> bool:
        """
        Whether hosts speak TLS, with the proxy or with clients.
        """
        return self.mode is not Mode.IN


def haproxy(name: str, scene: Scene) -> Peer:
    """
    Return HAProxy.
    """
    server = "    server {name} {address}"
    if scene.mode is Mode.BOTH:
        server += f" ssl verify required ca-file {scene.files.authority} sni str({NAME})"
        server += f" verifyhost {NAME}"
    bind = f"ssl crt {scene.certificate}" if scene.endsTLS else ""
    if bind and not scene.tickets:
        bind += " no-tls-tickets"
    route = ""
    if scene.mode is Mode.NAMES:
        route = "tcp-request inspect-delay 5s\n    "
        route += f"tcp-request content accept if {{ req.ssl_sni -i {NAME} }}\n    "
        route += "tcp-request content reject if { req.ssl_hello_type 1 }"
    return replace(
        peerNamed(BASELINE),
        name=name,
        settings="HAProxy, TCP mode, one thread",
        template="tls/haproxy.cfg",
        hostLine=server,
        words=lambda: {"BIND": bind, "ROUTE": route},
    )


def otherHAProxy(scene: Scene, program: Path) -> Peer:
    """
    Return HAProxy of another release than the system's.

    @param program: its path.
    """
    return replace(
        haproxy(OTHER, scene),
        command=lambda place: [str(program), "-db", "-f", str(place.config)],
        version=lambda: firstLine(str(program), "-v"),
    )


def nginx(scene: Scene) -> Peer:
    """
    Return nginx.
    """
    peer = peerNamed("nginx")
    settings = [
        f"ssl_certificate {scene.certificate};",
        f"ssl_certificate_key {scene.certificate};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;",
        "ssl_ecdh_curve X25519;",
    ]
    if not scene.tickets:
        settings.append("ssl_session_tickets off;")
    if scene.mode is Mode.BOTH:
        settings += [
            "proxy_ssl on;",
            "proxy_ssl_verify on;",
            f"proxy_ssl_trusted_certificate {scene.files.authority};",
            f"proxy_ssl_name {NAME};",
            "proxy_ssl_server_name on;",
            "proxy_ssl_protocols TLSv1.2 TLSv1.3;",
        ]
    return replace(
        peer,
        name=NGINX,
        template="tls/nginx.conf",
        words=lambda: {
            **peer.words(),
            "SSL": "ssl",
            "SETTINGS": "\n        ".join(settings),
        },
    )


def stunnel(scene: Scene) -> Peer:
    """
    Return stunnel, which speaks TLS with clients only.
    """
    program = installed("stunnel4", "stunnel")
    return Peer(
        STUNNEL,
        "stunnel, a thread for each connection",
        lambda place: [program or "stunnel4", str(place.config)],
        lambda: firstLine(program, "-version"),
        "tls/stunnel.conf",
        "connect = {address}",
        lambda: {"CERTIFICATE": str(scene.certificate)},
    )


def txlb(
    name: str, scene: Scene, relay: str = "fast", source: Path = ROOT, deferred: bool = False
) -> Peer:
    """
    Return txlb.

    @param source: the checkout whose code runs.
    @param deferred: whether it has C{deferAccept}.
    """
    tickets = "" if scene.tickets else ' tickets="no"'
    tls = f'<tls certificates="{scene.certificate.parent}"{tickets}/>' if scene.endsTLS else ""
    group = ""
    if scene.mode is Mode.BOTH:
        group = f' tls="yes" ca="{scene.files.authority}"'
    names = f' serverNames="{NAME}"' if scene.mode is Mode.NAMES else ""
    if deferred:
        names += ' deferAccept="yes"'
    host = ' serverName="localhost"' if scene.mode is Mode.BOTH else ""
    start = ("-c", "from twisted.scripts.twistd import run; run()", "--pidfile=", "-n", "txlb")

    def command(place: Place) -> list[str]:
        paths = f"PYTHONPATH={source / 'src'}:{source}"
        return ["env", paths, *python(*start, "-c", str(place.config))]

    return replace(
        peerNamed(FAST if relay == "fast" else PORTABLE),
        name=name,
        command=command,
        template="tls/txlb.xml",
        hostLine=f'      <host name="{{name}}" ip="{{address}}"{host}/>',
        words=lambda: {"RELAY": relay, "NAMES": names, "TLS": tls, "GROUP": group, "CONTROL": ""},
    )


def peersOf(
    scene: Scene, others: bool, before: Path | None = None, other: Path | None = None
) -> list[Peer]:
    """
    List the peers of a scene: first the one that others are compared with.

    @param others: whether those beside HAProxy and the fast relay take part.
    @param before: another checkout of txlb, which takes part.
    @param other: the program of another HAProxy, which takes part.
    """
    if scene.mode is Mode.NAMES:
        plain = replace(scene, mode=Mode.PLAIN)
        peers = [txlb(PLAIN, plain), txlb(f"{PLAIN}, again", plain), txlb(FAST, scene)]
        peers.append(txlb(f"{FAST}, deferAccept", scene, deferred=True))
        peers += [haproxy("haproxy, plain", plain), haproxy("haproxy, by its name", scene)]
    else:
        peers = [haproxy(BASELINE, scene), haproxy(AGAIN, scene), txlb(FAST, scene)]
        if others:
            peers += [txlb(PORTABLE, scene, "portable"), nginx(scene)]
            if scene.mode is Mode.IN:
                peers.append(stunnel(scene))
    if before is not None:
        peers.insert(2, txlb(BEFORE, scene, source=before))
    if other is not None:
        peers.append(otherHAProxy(scene, other))
    return [peer for peer in peers if peer.version() is not None]
