"""
The configuration file: XML in, values out, and back again.
"""

from txlb.config._checkwords import registerCheckWord
from txlb.config._configuration import Configuration, loadConfiguration, parseConfiguration
from txlb.config._explain import explainConfiguration
from txlb.config._reference import referencePage
from txlb.config._settings import (
    AdminSettings,
    AdminUser,
    LoggingSettings,
    ManagerSettings,
    SSHSettings,
    TimerSettings,
    WebSettings,
)

__all__ = [
    "AdminSettings",
    "AdminUser",
    "Configuration",
    "LoggingSettings",
    "ManagerSettings",
    "SSHSettings",
    "TimerSettings",
    "WebSettings",
    "explainConfiguration",
    "loadConfiguration",
    "parseConfiguration",
    "referencePage",
    "registerCheckWord",
]
