"""
The elements of those who look at the balancer and change it.
"""

from __future__ import annotations

from txlb.config import _kinds as kinds
from txlb.config import _things as things
from txlb.config._attributes import DAY, named, of
from txlb.config._elements import REQUIRED, Attribute, Child, Element, Since
from txlb.config._settings import ACCESS_WORDS, SSHSettings, WebSettings

WEB = Element(
    "web",
    "The web pages.",
    (
        of(
            WebSettings,
            "listen",
            things.ListenAddress(),
            "Where they listen.",
            Since.OLD,
            unset=("None",),
        ),
        of(WebSettings, "enable", kinds.Boolean(), "Whether they do.", Since.OLD),
        of(WebSettings, "secure", kinds.Boolean(), "Whether over TLS.", Since.OLD),
        of(
            WebSettings,
            "refresh",
            kinds.Seconds(1.0, DAY),
            "Seconds between two refreshes of the running page.",
            Since.OLD,
            unset=("True", "False"),
        ),
    ),
    pending="the web pages",
)

SSH = Element(
    "ssh",
    "The Python prompt inside the running balancer, for OpenSSH's client.",
    (
        of(
            SSHSettings,
            "listen",
            things.ListenAddress(),
            "Where it listens. Whoever gets in can do all that the balancer can, so keep it on "
            "loopback unless there is a reason.",
            Since.OLD,
            unset=("2222", "None"),
        ),
        of(SSHSettings, "enable", kinds.Boolean(), "Whether it does.", Since.OLD),
    ),
)

USER = Element(
    "user",
    "Somebody who may log in, by password, by key, or by either.",
    (
        named("user", "file"),
        Attribute(
            "password",
            things.PasswordHash(),
            "The hash of the password. With the crypt(3) hashes of old files nobody can log in.",
            defaultDoc="no password",
            since=Since.OLD,
        ),
        Attribute(
            "authorizedKeys",
            things.Path(),
            "A file of public keys, as in OpenSSH's ``authorized_keys``.",
            defaultDoc="no keys",
        ),
        Attribute(
            "access",
            kinds.Word(ACCESS_WORDS),
            "What the user may do: with ``readonly`` look, with ``operator`` also drain hosts, "
            "bring them back and weigh them, with ``full`` everything. Only ``full`` opens the "
            "Python prompt, as nothing can be forbidden there.",
            REQUIRED,
            since=Since.OLD,
        ),
    ),
)

ADMIN = Element(
    "admin",
    "How the balancer is looked at and changed while it runs, and by whom.",
    (
        Attribute(
            "listen",
            things.ListenAddress(),
            "Where PythonDirector's web pages listened.",
            since=Since.PYDIRECTOR,
            ignored=True,
        ),
    ),
    (Child(WEB, 0, 1), Child(SSH, 0, 1), Child(USER)),
)
