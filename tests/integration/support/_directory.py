"""
OpenLDAP's server with a small directory.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.integration.programs import Program
from tests.integration.support._ports import freePorts

#: Debian keeps it out of the PATH of users.
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

SLAPD = shutil.which("slapd", path=_PLACES)
_SLAPADD = shutil.which("slapadd", path=_PLACES)
_SCHEMAS = Path("/etc/ldap/schema")

BASE = "dc=example,dc=org"
SERVICE = f"cn=search,{BASE}"
SERVICE_PASSWORD = "s3arch-accounT"

#: Access to searches: for the service account alone.
_ACCESS = f"""\
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SERVICE}" read by self read by * none
"""

#: As the servers of old have it: all may read.
OPEN = """\
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""


class Directory:
    """
    A server with users and groups, until L{stop}. The password of each user is
    C{NAME-password}.

    @param folder: has its files.
    @param certificate: the certificate and its key; L{None} for no TLS.
    @param more: further lines of the global part of its configuration.
    @param limits: further lines of the database.
    @param groups: how many groups anna is in beside C{ops}.
    """

    def __init__(
        self,
        folder: Path,
        certificate: tuple[bytes, bytes] | None,
        more: str = "",
        limits: str = "",
        access: str = _ACCESS,
        groups: int = 0,
        keys: str = "",
    ) -> None:
        self.folder = folder
        (folder / "db").mkdir(parents=True)
        self.port, self.tlsPort = freePorts(2)
        tls = ""
        if certificate is not None:
            for name, pem in zip(("cert.pem", "key.pem"), certificate, strict=True):
                (folder / name).write_bytes(pem)
            tls = f"TLSCertificateFile {folder}/cert.pem\nTLSCertificateKeyFile {folder}/key.pem\n"
        schemas = "".join(
            f"include {_SCHEMAS / name}.schema\n" for name in ("core", "cosine", "inetorgperson")
        )
        (folder / "slapd.conf").write_text(
            f"{schemas}"
            "attributetype ( 1.3.6.1.4.1.24552.500.1.1.1.13 NAME 'sshPublicKey' "
            "EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )\n"
            "objectclass ( 1.3.6.1.4.1.24552.500.1.1.2.0 NAME 'ldapPublicKey' SUP top AUXILIARY "
            "MAY ( sshPublicKey $ uid ) )\n"
            "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n"
            f"pidfile {folder}/pid\n{tls}{more}"
            f'database mdb\nsuffix "{BASE}"\nrootdn "cn=root,{BASE}"\nrootpw root\n'
            f"directory {folder}/db\nmaxsize 67108864\noverlay memberof\n{limits}{access}"
        )
        (folder / "data.ldif").write_text(_data(groups, keys))
        assert _SLAPADD is not None
        subprocess.run(
            [_SLAPADD, "-q", "-f", folder / "slapd.conf", "-l", folder / "data.ldif"],
            check=True,
        )
        self.program: Program | None = None
        self.start()

    def start(self) -> None:
        """
        Start it, again if it was stopped.
        """
        assert SLAPD is not None
        addresses = f"ldap://127.0.0.1:{self.port}/"
        if (self.folder / "cert.pem").exists():
            addresses += f" ldaps://127.0.0.1:{self.tlsPort}/"
        command: list[str | Path] = [
            SLAPD,
            "-d",
            "0",
            "-f",
            self.folder / "slapd.conf",
            "-h",
            addresses,
        ]
        self.program = Program(command, self.folder)
        self.program.waitForPort(self.port)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """
        Stop it.
        """
        program, self.program = self.program, None
        if program is not None:
            program.stop(sign)

    def modify(self, ldif: str) -> None:
        """
        Change entries.
        """
        subprocess.run(
            [
                *("ldapmodify", "-x", "-w", "root", "-D", f"cn=root,{BASE}"),
                *("-H", f"ldap://127.0.0.1:{self.port}/"),
            ],
            input=ldif.encode(),
            check=True,
            capture_output=True,
        )


def userDN(name: str) -> str:
    return f"cn={name},ou=people,{BASE}"


def _data(groups: int, keys: str) -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups",
        (
            f"dn: {SERVICE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
            f"cn: search\nuserPassword: {SERVICE_PASSWORD}"
        ),
    ]
    members = {"ops": ["anna", "otto"], "lookers": ["rita"], "others": ["nina"]}
    members.update({f"extra{number}": ["anna"] for number in range(groups)})
    for name in ("anna", "otto", "rita", "nina", "twin", "twin2"):
        uid = "twin" if name == "twin2" else name
        extra = auxiliary = ""
        if keys and name == "anna":
            extra, auxiliary = f"\nsshPublicKey: {keys}", "objectClass: ldapPublicKey\n"
        told = "".join(
            f"\nmemberOf: cn={group},ou=groups,{BASE}"
            for group, names in members.items()
            if name in names
        )
        entries.append(
            f"dn: cn={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\n{auxiliary}cn: {name}\n"
            f"sn: {name}\nuid: {uid}\nuserPassword: {name}-password{extra}{told}"
        )
    for group, names in members.items():
        listed = "".join(f"\nmember: cn={name},ou=people,{BASE}" for name in names)
        entries.append(
            f"dn: cn={group},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {group}{listed}"
        )
    return "\n\n".join(entries) + "\n"
