"""
The configuration file: XML in, values out, and back again.
"""

from txlb.config._configuration import Configuration, loadConfiguration, parseConfiguration
from txlb.config._document import readFile
from txlb.config._explain import explainConfiguration
from txlb.config._reference import referencePage
from txlb.config._save import FileChanged, writeFile
from txlb.config._settings import (
    AdminSettings,
    AdminUser,
    ConfigCheckSettings,
    LoggingSettings,
    ManagerSettings,
    SSHSettings,
    TimerSettings,
    WebSettings,
)
from txlb.config._shown import shownDifference

__all__ = [
    "AdminSettings",
    "AdminUser",
    "ConfigCheckSettings",
    "Configuration",
    "FileChanged",
    "LoggingSettings",
    "ManagerSettings",
    "SSHSettings",
    "TimerSettings",
    "WebSettings",
    "explainConfiguration",
    "loadConfiguration",
    "parseConfiguration",
    "readFile",
    "referencePage",
    "shownDifference",
    "writeFile",
]
