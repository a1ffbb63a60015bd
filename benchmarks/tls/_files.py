"""
Certificates for a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks.tls._authority import Authority, Key, keyPEM


@dataclass(frozen=True)
class Files:
    """
    The files of certificates: each has its key in it, and is alone in its folder.

    @ivar authority: the certificate of the authority that has signed the others.
    @ivar ecdsa: one with a key of the curve P-256.
    @ivar rsa: one with an RSA key of 2048 bits.
    """

    authority: Path
    ecdsa: Path
    rsa: Path

    @classmethod
    def make(cls, folder: Path) -> Files:
        """
        Make them in a folder.
        """
        authority = Authority()
        keys: dict[str, Key] = {
            "ecdsa": ec.generate_private_key(ec.SECP256R1()),
            "rsa": rsa.generate_private_key(65537, 2048),
        }
        paths = {"authority": folder / "authority.pem"}
        paths["authority"].write_bytes(authority.pem)
        for kind, each in keys.items():
            pem = authority.certify(each).public_bytes(Encoding.PEM) + keyPEM(each)
            paths[kind] = folder / kind / "certificate.pem"
            paths[kind].parent.mkdir()
            paths[kind].write_bytes(pem)
            paths[kind].chmod(0o600)
        return cls(**paths)
