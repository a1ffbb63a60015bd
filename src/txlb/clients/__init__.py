"""
Connections to engines that exist: what several parts of txlb use of them.
"""

from txlb.clients._body import Body, Lines, TooLong
from txlb.clients._etcd import EtcdClient, KeyValue
from txlb.clients._etcderror import EtcdDenied, EtcdError, EtcdUnreachable
from txlb.clients._etcdwatch import Changes, EtcdWatch
from txlb.clients._fetcher import Fetched, Fetcher, FetchError
from txlb.clients._stompclient import StompClient, longestReturn
from txlb.clients._stompconnection import StompConnection
from txlb.clients._stomperror import StompError, StompUnreachable
from txlb.clients._stompsettings import StompBroker, StompSettings
from txlb.clients._tlspolicy import TLSPolicy
from txlb.clients._transaction import Committed, Transaction

__all__ = [
    "Body",
    "Changes",
    "Committed",
    "EtcdClient",
    "EtcdDenied",
    "EtcdError",
    "EtcdUnreachable",
    "EtcdWatch",
    "FetchError",
    "Fetched",
    "Fetcher",
    "KeyValue",
    "Lines",
    "StompBroker",
    "StompClient",
    "StompConnection",
    "StompError",
    "StompSettings",
    "StompUnreachable",
    "TLSPolicy",
    "TooLong",
    "Transaction",
    "longestReturn",
]
