"""
Balancers that stand in for one another: the election of a leader, and the changes that all members
share.

Both go through etcd, and so does everything that members tell each other. There is no protocol
between them. See the decisions 0099 to 0101.
"""

from txlb.cluster._changelog import ChangeLog
from txlb.cluster._entry import Endings, Entry
from txlb.cluster._items import Item, formerItems, itemsBetween
from txlb.cluster._keys import Keys
from txlb.cluster._making import Making, withItems
from txlb.cluster._member import ClusterMember
from txlb.cluster._overrides import Overrides
from txlb.cluster._records import LeaderRecord, MemberRecord
from txlb.cluster._session import Session
from txlb.cluster._state import ClusterState
from txlb.model import Cluster

__all__ = [
    "ChangeLog",
    "Cluster",
    "ClusterMember",
    "ClusterState",
    "Endings",
    "Entry",
    "Item",
    "Keys",
    "LeaderRecord",
    "Making",
    "MemberRecord",
    "Overrides",
    "Session",
    "formerItems",
    "itemsBetween",
    "withItems",
]
