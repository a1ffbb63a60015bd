"""
Renew what the web console has from others: C{python tools/vendor_console.py}.

The files come from the packages of npm's registry that C{VENDORED} names. Each package is compared
with the hash that the registry tells of it. C{vendored.json} beside the files tells their versions,
licences and hashes; a test compares them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import urllib.request
from pathlib import Path

FOLDER = (
    Path(__file__).resolve().parent.parent / "src" / "txlb" / "admin" / "web" / "static" / "vendor"
)

REGISTRY = "https://registry.npmjs.org"

#: By the names of the packages: the version, the licence, and the files by their names here.
VENDORED = {
    "lit-html": (
        "3.3.3",
        "BSD-3-Clause",
        {
            "lit-html/lit-html.js": "package/lit-html.js",
            "lit-html/directive.js": "package/directive.js",
            "lit-html/directive-helpers.js": "package/directive-helpers.js",
            "lit-html/directives/repeat.js": "package/directives/repeat.js",
            "lit-html/LICENSE.txt": "package/LICENSE",
        },
    ),
    "uplot": (
        "1.6.32",
        "MIT",
        {
            "uplot/uPlot.js": "package/dist/uPlot.iife.min.js",
            "uplot/uPlot.css": "package/dist/uPlot.min.css",
            "uplot/LICENSE.txt": "package/LICENSE",
        },
    ),
}


def main() -> int:
    """
    Fetch the packages, and write the files and their list.

    @return: the exit status.
    """
    told: dict[str, object] = {}
    for name, (version, licence, files) in VENDORED.items():
        with urllib.request.urlopen(f"{REGISTRY}/{name}/{version}") as answer:
            package = json.load(answer)["dist"]
        with urllib.request.urlopen(package["tarball"]) as answer:
            data = answer.read()
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode("ascii")
        if integrity != package["integrity"]:
            print(f"{name} {version} is not what the registry tells of it", file=sys.stderr)
            return 1
        hashes = {}
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for target, member in files.items():
                file = archive.extractfile(member)
                if file is None:
                    print(f"{name} {version} has no {member}", file=sys.stderr)
                    return 1
                # The maps that the last lines name are not here.
                lines = [
                    line for line in file.read().splitlines() if b"sourceMappingURL" not in line
                ]
                # The check of types passes over files of others.
                first = [b"// @ts-nocheck"] if target.endswith(".js") else []
                text = b"\n".join([*first, *lines]) + b"\n"
                path = FOLDER / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text)
                hashes[target] = hashlib.sha256(text).hexdigest()
        told[name] = {
            "version": version,
            "licence": licence,
            "integrity": integrity,
            "sha256": hashes,
        }
        print(f"{name} {version}: {len(files)} files")
    (FOLDER / "vendored.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
