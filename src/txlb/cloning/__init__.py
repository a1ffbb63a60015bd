"""
One application in several processes, on all cores.

The manager never accepts a connection. It watches the accept queues of the listening
sockets that all processes share, lets a pool choose a clone for each connection, and sends
the clone a permit to accept it.
"""

from txlb.cloning._adopting import BalancedClone, balancedClone
from txlb.cloning._clonesonly import ClonesOnly
from txlb.cloning._endpoint import CloneEndpoint
from txlb.cloning._fleet import Fleet, FleetPlace
from txlb.cloning._group import CloneGroup
from txlb.cloning._identity import Identity, Role, whoAmI
from txlb.cloning._inheritedsockets import InheritedSockets, placeNamed, socketName
from txlb.cloning._lateclones import LateClones, leftOut
from txlb.cloning._logfiles import appendToLogs
from txlb.cloning._manageronly import ManagerOnly
from txlb.cloning._passing import MOST_WAITING, PassedClient
from txlb.cloning._rendezvous import CloningError
from txlb.cloning._service import CloningService, cloneApplication
from txlb.cloning._settings import CloneSettings, availableCPUs
from txlb.cloning._usage import residentMemory
from txlb.cloning._wanted import Wanted

__all__ = [
    "MOST_WAITING",
    "BalancedClone",
    "CloneEndpoint",
    "CloneGroup",
    "CloneSettings",
    "ClonesOnly",
    "CloningError",
    "CloningService",
    "Fleet",
    "FleetPlace",
    "Identity",
    "InheritedSockets",
    "LateClones",
    "ManagerOnly",
    "PassedClient",
    "Role",
    "Wanted",
    "appendToLogs",
    "availableCPUs",
    "balancedClone",
    "cloneApplication",
    "leftOut",
    "placeNamed",
    "residentMemory",
    "socketName",
    "whoAmI",
]
