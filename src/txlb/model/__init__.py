"""
What is configured: services, their groups, their hosts.

All of it is made of frozen values. They are checked when they are made, equal
when they say the same, and changed by making a new one with
L{dataclasses.replace}; only L{txlb.manager.ProxyManager} changes what a running
balancer uses.
"""

from txlb.model._addresses import (
    Address,
    AddressLike,
    ListenAddress,
    parseHostAddress,
    parseListenAddress,
    placeOf,
    plainHost,
)
from txlb.model._addresskinds import CLIENT_NETWORK, HOST_ADDRESS, LISTEN_ADDRESS
from txlb.model._change import Change
from txlb.model._changekind import ChangeKind
from txlb.model._changes import changesBetween, settingChanges
from txlb.model._checks import checkClock, checkItems, checkMapping, checkName, shown
from txlb.model._cloneset import CLONES, CloneSet
from txlb.model._cluster import ACTIVE_ACTIVE, ACTIVE_STANDBY, Cluster
from txlb.model._conflict import Conflict
from txlb.model._discovery import Discovery, discoveryFrom
from txlb.model._groups import SCHEDULER_SETTINGS, ProxyGroup
from txlb.model._health import CheckLike, HealthCheck
from txlb.model._hosts import HOST_STATES, MAX_WEIGHT, PEOPLE, ProxyHost
from txlb.model._hosttls import HostTLS, effectiveTLS
from txlb.model._inheritedaddress import InheritedAddress
from txlb.model._kept import keptWhereEqual
from txlb.model._listeners import Listener, ListenerLike
from txlb.model._listentls import PROFILES, ListenTLS
from txlb.model._mapper import HostMapper, convertMapperToModel
from txlb.model._merge import mergeServices
from txlb.model._merged import Merged
from txlb.model._networks import parseNetwork, readNetwork
from txlb.model._origins import ownedByPeople, withFound
from txlb.model._plain import plain
from txlb.model._plan import Plan
from txlb.model._pollingkind import PollingKind
from txlb.model._resources import ResourceProbe
from txlb.model._routes import Clash, Routes, checkingPlaces, checkSharing, clashesBetween
from txlb.model._services import ADMISSION_SETTINGS, ProxyService
from txlb.model._tcpaddress import TCPAddress
from txlb.model._unixaddress import PRIVATE, UNIXAddress

__all__ = [
    "ACTIVE_ACTIVE",
    "ACTIVE_STANDBY",
    "ADMISSION_SETTINGS",
    "CLIENT_NETWORK",
    "CLONES",
    "HOST_ADDRESS",
    "HOST_STATES",
    "LISTEN_ADDRESS",
    "MAX_WEIGHT",
    "PEOPLE",
    "PRIVATE",
    "PROFILES",
    "SCHEDULER_SETTINGS",
    "Address",
    "AddressLike",
    "Change",
    "ChangeKind",
    "CheckLike",
    "Clash",
    "CloneSet",
    "Cluster",
    "Conflict",
    "Discovery",
    "HealthCheck",
    "HostMapper",
    "HostTLS",
    "InheritedAddress",
    "ListenAddress",
    "ListenTLS",
    "Listener",
    "ListenerLike",
    "Merged",
    "Plan",
    "PollingKind",
    "ProxyGroup",
    "ProxyHost",
    "ProxyService",
    "ResourceProbe",
    "Routes",
    "TCPAddress",
    "UNIXAddress",
    "changesBetween",
    "checkClock",
    "checkItems",
    "checkMapping",
    "checkName",
    "checkSharing",
    "checkingPlaces",
    "clashesBetween",
    "convertMapperToModel",
    "discoveryFrom",
    "effectiveTLS",
    "keptWhereEqual",
    "mergeServices",
    "ownedByPeople",
    "parseHostAddress",
    "parseListenAddress",
    "parseNetwork",
    "placeOf",
    "plain",
    "plainHost",
    "readNetwork",
    "settingChanges",
    "shown",
    "withFound",
]
