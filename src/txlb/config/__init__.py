"""
The configuration file: XML in, values out, and back again.
"""

from txlb.config._accessmap import AccessMap, accessOf
from txlb.config._adminsettings import AdminSettings
from txlb.config._admintoken import AdminToken
from txlb.config._adminuser import AdminUser
from txlb.config._checkersource import CheckerSource
from txlb.config._configchecksettings import ConfigCheckSettings
from txlb.config._configuration import Configuration, loadConfiguration, parseConfiguration
from txlb.config._document import readFile
from txlb.config._eventssettings import EventsSettings
from txlb.config._explain import explainConfiguration
from txlb.config._ldapsource import LDAPSource
from txlb.config._loggingsettings import LoggingSettings
from txlb.config._managersettings import ManagerSettings
from txlb.config._radiussource import RADIUSSource
from txlb.config._reference import referencePage
from txlb.config._save import FileChanged, writeFile
from txlb.config._shown import shownDifference
from txlb.config._sshsettings import SSHSettings
from txlb.config._timersettings import TimerSettings
from txlb.config._websettings import WebSettings, isLocal

__all__ = [
    "AccessMap",
    "AdminSettings",
    "AdminToken",
    "AdminUser",
    "CheckerSource",
    "ConfigCheckSettings",
    "Configuration",
    "EventsSettings",
    "FileChanged",
    "LDAPSource",
    "LoggingSettings",
    "ManagerSettings",
    "RADIUSSource",
    "SSHSettings",
    "TimerSettings",
    "WebSettings",
    "accessOf",
    "explainConfiguration",
    "isLocal",
    "loadConfiguration",
    "parseConfiguration",
    "readFile",
    "referencePage",
    "shownDifference",
    "writeFile",
]
