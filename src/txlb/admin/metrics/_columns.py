"""
The columns of HAProxy's statistics.
"""

from __future__ import annotations

from collections.abc import Mapping

_NAMES = """
pxname svname qcur qmax scur smax slim stot bin bout dreq dresp ereq econ eresp wretr wredis
status weight act bck chkfail chkdown lastchg downtime qlimit pid iid sid throttle lbtot tracked
type rate rate_lim rate_max check_status check_code check_duration hrsp_1xx hrsp_2xx hrsp_3xx
hrsp_4xx hrsp_5xx hrsp_other hanafail req_rate req_rate_max req_tot cli_abrt srv_abrt comp_in
comp_out comp_byp comp_rsp lastsess last_chk last_agt qtime ctime rtime ttime agent_status
agent_code agent_duration check_desc agent_desc check_rise check_fall check_health agent_rise
agent_fall agent_health addr cookie mode algo conn_rate conn_rate_max conn_tot intercepted dcon
dses wrew connect reuse cache_lookups cache_hits srv_icur src_ilim qtime_max ctime_max rtime_max
ttime_max eint idle_conn_cur safe_conn_cur used_conn_cur need_conn_est uweight agg_server_status
agg_server_check_status agg_check_status - ssl_sess ssl_reused_sess ssl_failed_handshake
h2_headers_rcvd h2_data_rcvd h2_settings_rcvd h2_rst_stream_rcvd h2_goaway_rcvd
h2_detected_conn_protocol_errors h2_detected_strm_protocol_errors h2_rst_stream_resp
h2_goaway_resp h2_open_connections h2_backend_open_streams h2_total_connections
h2_backend_total_streams h1_open_connections h1_open_streams h1_total_connections h1_total_streams
h1_bytes_in h1_bytes_out h1_spliced_bytes_in h1_spliced_bytes_out
"""

#: The columns of C{show stat} of HAProxy 2.6, in their order. The empty name is that of the end
#: of each line.
COLUMNS = (*_NAMES.split(), "")

_FRONTEND = (
    "dreq dresp rate_lim req_rate req_rate_max req_tot comp_in comp_out comp_byp comp_rsp wrew"
)
_BACKEND = "dreq dresp comp_in comp_out comp_byp comp_rsp wrew reuse eint"
_SERVER = "qcur qmax dresp wretr wredis wrew reuse srv_icur eint idle_conn_cur safe_conn_cur"

#: What can't happen in a balancer of TCP connections: HAProxy has 0 there in its mode C{tcp}. A
#: server has no queue of its own here, and each retry goes to another server.
ZEROS: Mapping[str, Mapping[str, object]] = {
    "frontend": dict.fromkeys(_FRONTEND.split(), 0),
    "backend": dict.fromkeys(_BACKEND.split(), 0),
    "server": dict.fromkeys(_SERVER.split(), 0),
}

#: A row of statistics, by the names of columns; columns that a thing does not have, or that are
#: not known, are absent or L{None}.
StatRow = Mapping[str, object]
