"""
Codecs: bytes in and values out, or the other way round, without any I/O.
"""

from txlb.wire._preface import Done, NeedMore, Reject
from txlb.wire._proxy import encodeProxyV1, encodeProxyV2

__all__ = ["Done", "NeedMore", "Reject", "encodeProxyV1", "encodeProxyV2"]
