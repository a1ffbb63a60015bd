"""
Directories as sources of logins. ldaptor encodes and decodes the messages; connections,
bounds and times are txlb's own. ldaptor is imported when such a source is made.
"""

from txlb.admin.login.ldap._checker import LDAPChecker

__all__ = ["LDAPChecker"]
