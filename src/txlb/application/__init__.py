"""
The balancer as a Twisted service.
"""

from txlb.application._access import AccessLog
from txlb.application._daemon import Daemon
from txlb.application._events import EventLog
from txlb.application._file import ConfigurationFile
from txlb.application._handedchanges import withChanges
from txlb.application._keeper import FileKeeper
from txlb.application._logfile import LogFileService
from txlb.application._noupgrades import NoUpgrades
from txlb.application._plugins import discoverPlugins, findPlugins, listSchedulers
from txlb.application._publisher import EventPublisher, publisherOf
from txlb.application._upgrading import Upgrading
from txlb.application.service import LoadBalancedService, ProxyListener
from txlb.process import LogFileError, Owner, OwnerError, Supervisor

__all__ = [
    "AccessLog",
    "ConfigurationFile",
    "Daemon",
    "EventLog",
    "EventPublisher",
    "FileKeeper",
    "LoadBalancedService",
    "LogFileError",
    "LogFileService",
    "NoUpgrades",
    "Owner",
    "OwnerError",
    "ProxyListener",
    "Supervisor",
    "Upgrading",
    "discoverPlugins",
    "listSchedulers",
    "publisherOf",
    "withChanges",
]

findPlugins()
