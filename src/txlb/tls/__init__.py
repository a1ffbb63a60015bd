"""
TLS: certificates, contexts, and their changes while the balancer runs.

The data plane, checks and administration share it. It opens no connection.
"""

from txlb.tls._certificate import Certificate
from txlb.tls._clientcontext import ClientContext
from txlb.tls._contexts import KEYLOG, reasonOf, wasResumed, whyRefused
from txlb.tls._listenerstore import RENEW, SOON, CertificateInUse, ListenerStore
from txlb.tls._read import FileProblem, ReadCertificates, parsePEM, readCertificates
from txlb.tls._servercontexts import ServerContext, ServerContexts
from txlb.tls._slowsteps import SlowSteps
from txlb.tls._tlsstore import TLSStore, settingsOf

__all__ = [
    "KEYLOG",
    "RENEW",
    "SOON",
    "Certificate",
    "CertificateInUse",
    "ClientContext",
    "FileProblem",
    "ListenerStore",
    "ReadCertificates",
    "ServerContext",
    "ServerContexts",
    "SlowSteps",
    "TLSStore",
    "parsePEM",
    "readCertificates",
    "reasonOf",
    "settingsOf",
    "wasResumed",
    "whyRefused",
]
