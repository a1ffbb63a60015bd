"""
Metrics beside the real thing: HAProxy's exporter and statistics, promtool, and a Prometheus that
scrapes and alerts.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping

from tests.admin.metrics.test_exposition import ExpositionCase
from tests.admin.metrics.texts import ReadFamily, readText
from tests.integration.programs import PATIENCE, ROOT, Program, waitUntil
from tests.integration.support import IntegrationTestCase, freePorts
from txlb.admin import Target
from txlb.admin._history import History
from txlb.admin.metrics import Exposition, HAProxyExposition, statistics
from txlb.admin.metrics._families import CLUSTERS, PUBLISHERS, SOURCES
from txlb.pool import CheckResult

HAPROXY = """
global
  maxconn 100
defaults
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend exporter
  mode http
  bind 127.0.0.1:{port}
  http-request use-service prometheus-exporter if {{ path /metrics }}
  stats enable
  stats uri /stats
frontend web
  mode tcp
  bind 127.0.0.1:{other}
  default_backend servers
backend servers
  mode tcp
  server a 127.0.0.1:{port} check
  server b 127.0.0.1:{port}
"""

#: The metrics of HAProxy that have no counterpart, with the reason.
LEFT_OUT: Mapping[str, str] = {
    # The balancer relays bytes, and no HTTP.
    r"frontend_http_.*|frontend_intercepted_requests_total": "HTTP",
    r"(backend|server)_(max_)?response_time_.*|server_response_errors_total": "HTTP",
    r"server_check_code": "the code is part of the check's text",
    r"process_(http|limit_http|.*zlib).*": "HTTP",
    r"process_requests_total": "HTTP",
    # Facts that are counted otherwise, or not at all.
    r"(backend|server)_(max_)?queue_time_.*": "the time in the queue is not counted",
    r"(backend|server)_max_(connect|total)_time_seconds": "a histogram has these",
    r"server_total_time_average_seconds": "the histogram is that of the group",
    r"server_(client|server)_aborts_total": "the outcomes are those of the group",
    r"server_(retry|redispatch)_warnings_total": "retries are those of the group",
    r"(backend|server)_last_session_seconds": "not kept",
    r"backend_(check_up_down_total|check_last_change_seconds|downtime_seconds_total)": "not kept",
    r"backend_limit_sessions": "a group has no limit of its own",
    r"server_(queue_limit|current_throttle|idle_connections_limit)": "not a number in HAProxy",
    r"server_need_connections_current": "connections are not kept for later",
    r"listener_.*": "counts are those of the service",
    # How HAProxy itself works.
    r"process_(pool|max_pipes|pipes|current_tasks|current_run_queue|idle_time|.*jobs).*": "own",
    r"process_(.*ssl.*|.*peers|.*logs.*|busy.*|failed_resolutions|.*bytes_out.*)": "own",
    r"process_(stopping|max_memory_bytes|max_(connection|session)_rate)": "own",
}


def page(port: int, path: str) -> str:
    """
    Get a page, which may come in chunks.
    """
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
        data: bytes = answer.read()
    return data.decode()


class HAProxyTests(ExpositionCase, IntegrationTestCase):
    """
    The names, labels and columns are HAProxy's.
    """

    needed = ("haproxy",)

    def setUp(self) -> None:
        IntegrationTestCase.setUp(self)
        ExpositionCase.setUp(self)
        port, other = freePorts(2)
        path = self.write("haproxy.cfg", HAPROXY.format(port=port, other=other))
        self.start("haproxy", "-db", "-f", path).waitForPort(port)
        waitUntil(lambda: "L4OK" in page(port, "/stats;csv"))
        self.theirs = readText(page(port, "/metrics"))
        self.csv = page(port, "/stats;csv")
        self.pool.watch("a", 2, 3)
        self.pool.reportCheck("a", CheckResult(True, "200 OK", 0.001))
        for _ in self.lbs.history._measuring():
            pass
        self.target = Target(self.lbs, None, History())

    def test_names(self) -> None:
        """
        Each name is one of HAProxy's, with the same kind, labels and states; the others are
        left out for a reason.
        """
        ours = readText(b"".join(HAProxyExposition(self.target).text()).decode())
        self.assertLessEqual(set(ours), set(self.theirs))
        for name, family in ours.items():
            with self.subTest(name):
                theirs = self.theirs[name]
                self.assertEqual(family.kind, theirs.kind)
                self.assertEqual(shapes(family), shapes(theirs))
        missing = {name.removeprefix("haproxy_") for name in set(self.theirs) - set(ours)}
        unexplained = {
            name for name in missing if not any(re.fullmatch(pattern, name) for pattern in LEFT_OUT)
        }
        # The limits are those of a balancer that runs.
        self.assertEqual(unexplained, {"process_max_connections", "process_hard_max_connections"})

    def test_columns(self) -> None:
        """
        The first line of the CSV is the same, and each row has as many cells.
        """
        ours = b"".join(statistics(self.target)).decode().splitlines()
        self.assertEqual(ours[0], self.csv.splitlines()[0])
        rows = list(csv.reader(ours))
        self.assertEqual({len(row) for row in rows}, {len(rows[0])})
        kinds = {row[rows[0].index("type")] for row in rows[1:]}
        self.assertEqual(kinds, {"0", "1", "2"})


def shapes(family: ReadFamily) -> set[tuple[tuple[str, str], ...]]:
    """
    Return the names of labels of samples, with the states.
    """
    return {
        tuple((name, value if name == "state" else "") for name, value in labels)
        for _, labels in family.samples
    }


#: Series, with the values of a balancer that is sick, and of one that is well: the first value
#: and how much each one grows.
SERIES = (
    ('up{job="txlb"}', "0", "1"),
    ("txlb_service_accepting", "0", "1"),
    ("txlb_group_all_down", "1", "0"),
    ("txlb_group_serving", "1", "1"),
    ('txlb_host_up{host="h"}', "0", "1"),
    ('txlb_host_up{host="m"}', "0", "0"),
    ('txlb_host_state{host="m",state="maintenance"}', "1", "1"),
    ('txlb_host_downs_total{host="h"}', "0+1", "3"),
    ("txlb_group_backup_used", "1", "0"),
    ("txlb_group_connect_failures_total", "0+1", "7"),
    ("txlb_group_connections_total", "0+1", "0+1"),
    ('txlb_group_connect_duration_seconds_bucket{le="0.1"}', "0+1", "0+9"),
    ('txlb_group_connect_duration_seconds_bucket{le="1.0"}', "0+9", "0+9"),
    ('txlb_group_connect_duration_seconds_bucket{le="+Inf"}', "0+9", "0+9"),
    ('txlb_service_refused_connections_total{reason="full"}', "0+90", "7"),
    ('txlb_service_refused_connections_total{reason="denied"}', "0+90", "0+90"),
    ("txlb_group_waiting_clients", "3", "0"),
    ("txlb_connections", "95", "50"),
    ("txlb_connections_limit", "100", "100"),
    ('txlb_certificate_expiry_timestamp_seconds{file="f"}', "90000", "9000000"),
    ("txlb_certificate_faults", "1", "0"),
    ('txlb_process_lag_seconds{process="clone0"}', "0.7", "0.001"),
    ('txlb_cluster_connected{cluster="c"}', "0", "1"),
    ('txlb_cluster_leads{cluster="c"}', "0", "1"),
    ('txlb_cluster_changes_behind{cluster="c"}', "2", "0"),
    ('txlb_cluster_differing_members{cluster="c"}', "1", "0"),
    ('txlb_cluster_members{cluster="c"}', "3 2", "3"),
    ('txlb_source_answers{source="etcd:x"}', "0", "1"),
    ('txlb_source_answer_held{source="etcd:x"}', "1", "0"),
    ('txlb_events_dropped_total{topic="t"}', "0+1", "7"),
)


class PromtoolTests(ExpositionCase, IntegrationTestCase):
    """
    C{promtool} finds no fault.
    """

    needed = ("promtool",)

    def setUp(self) -> None:
        IntegrationTestCase.setUp(self)
        ExpositionCase.setUp(self)
        for _ in range(3):
            self.pool.acquire().release()
        self.pool.watch("a", 2, 3)
        self.pool.reportCheck("a", CheckResult(True, "200 OK", 0.001))

    def check(self, text: bytes) -> tuple[int, str]:
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    def test_text(self) -> None:
        exposition = Exposition(Target(self.lbs, None, History()))
        self.assertEqual(self.check(b"".join(exposition.text())), (0, ""))

    def test_openMetrics(self) -> None:
        """
        Promtool reads the older format. It finds nothing but the names of counters, which stand
        without C{_total} before their samples here.
        """
        exposition = Exposition(Target(self.lbs, None, History()))
        status, said = self.check(b"".join(exposition.text(openMetrics=True)))
        for line in said.splitlines():
            self.assertRegex(line, r"^\w+_total no help text$")
        self.assertEqual(status, 3)

    def test_haproxyNames(self) -> None:
        text = b"".join(HAProxyExposition(Target(self.lbs, None, History())).text())
        self.assertEqual(self.check(text), (0, ""))

    def test_rules(self) -> None:
        done = subprocess.run(
            ["promtool", "check", "rules", ROOT / "examples" / "prometheus" / "alerts.yml"],
            capture_output=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def firing(self, expected: Mapping[str, int], column: int) -> None:
        """
        Let promtool apply the rules to made series for an hour and a half.

        @param expected: how often each alert fires at the end.
        @param column: which values of L{SERIES} there are.
        """
        samples = [
            {"labels": f'{{alertname="{name}"}}', "value": count}
            for name, count in expected.items()
        ]
        series = [
            {"series": self.labelled(each[0]), "values": f"{each[column]}x200"} for each in SERIES
        ]
        query = {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": "90m",
            "exp_samples": samples,
        }
        test = {"interval": "30s", "input_series": series, "promql_expr_test": [query]}
        rules = str(ROOT / "examples" / "prometheus" / "alerts.yml")
        made = {"rule_files": [rules], "evaluation_interval": "30s", "tests": [test]}
        # JSON is YAML.
        path = self.write("rules_test.yml", json.dumps(made))
        done = subprocess.run(
            ["promtool", "test", "rules", path], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def labelled(self, series: str) -> str:
        """
        Add the labels of a place to those of a series.
        """
        name, _, labels = series.partition("{")
        place = 'instance="i",service="w",group="g"'
        return f"{name}{{{place},{labels or '}'}"

    def test_everyAlert(self) -> None:
        """
        Each alert fires if its cause is there, and none if all is well. A host in maintenance
        is not down.
        """
        rules = (ROOT / "examples" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
        names = re.findall(r"alert: (\w+)", rules)
        self.assertGreater(len(names), 10)
        self.firing(dict.fromkeys(names, 1), 1)
        self.firing({}, 2)

    def test_names(self) -> None:
        """
        The rules and the dashboard use metrics that there are, with labels that these have.
        """
        known = set(readText(b"".join(self.exposition.text()).decode()))
        known |= {f"{name}_bucket" for name in known}
        known |= {"txlb_connections_limit", "txlb_certificate_expiry_timestamp_seconds"}
        known |= {"txlb_process_lag_seconds", "txlb_process_memory_bytes"}
        known |= {each.name for each in (*CLUSTERS, *SOURCES, *PUBLISHERS)}
        folder = ROOT / "examples" / "prometheus"
        dashboard = json.loads((folder / "dashboard.json").read_text(encoding="utf-8"))
        queries = [each["expr"] for panel in dashboard["panels"] for each in panel["targets"]]
        queries += [each["definition"] for each in dashboard["templating"]["list"][1:]]
        rules = (folder / "alerts.yml").read_text(encoding="utf-8")
        self.assertGreater(len(queries), 20)
        for text in (*queries, rules):
            for name in re.findall(r"\b(?:txlb|process)_[a-z_]+\b", text):
                self.assertIn(name, known)


CONFIG = """
<config>
  <service name="web">
    <listen ip="127.0.0.1:{listen}"/>
    <group name="main" enable="yes">
      <check type="tcp" interval="1s" timeout="1s" fall="1"/>
      <host name="dead" ip="127.0.0.1:{dead}"/>
    </group>
  </service>
  <admin><web listen="127.0.0.1:{web}" enable="yes"/></admin>
</config>
"""

PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: txlb
    static_configs: [{{targets: ["127.0.0.1:{web}"]}}]
  - job_name: haproxy
    params: {{names: [haproxy]}}
    static_configs: [{{targets: ["127.0.0.1:{web}"]}}]
"""


class PrometheusTests(IntegrationTestCase):
    """
    A Prometheus scrapes a balancer, and the alerts fire.
    """

    needed = ("prometheus",)

    def startPrometheus(self, web: int, port: int) -> Program:
        rules = (ROOT / "examples" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
        self.write("alerts.yml", re.sub(r"\bfor: \w+", "for: 1s", rules))
        path = self.write("prometheus.yml", PROMETHEUS.format(web=web))
        program = self.start(
            "prometheus",
            f"--config.file={path}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.tsdb.path={self.folder / 'data'}",
        )
        program.waitFor("Server is ready to receive web requests")
        return program

    def checkDashboard(self, ask: Callable[[str], object]) -> None:
        """
        Each query of the dashboard is one that Prometheus understands.
        """
        folder = ROOT / "examples" / "prometheus"
        dashboard = json.loads((folder / "dashboard.json").read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$__rate_interval", "1m")
                query = re.sub(r"\$(instance|service|group)", ".*", query)
                self.assertNotIn("$", query)
                # It raises for a query with a fault.
                ask("query?" + urllib.parse.urlencode({"query": query}))

    def test_alerts(self) -> None:
        """
        Both kinds of names are scraped as OpenMetrics, without a fault. A host that is down and
        a group without a host are alerted.
        """
        listen, dead, web, port = freePorts(4)
        self.startTxlb(CONFIG.format(listen=listen, dead=dead, web=web))
        self.startPrometheus(web, port)

        def ask(path: str) -> object:
            answer: dict[str, object] = json.loads(page(port, f"/api/v1/{path}"))
            return answer["data"]

        def health() -> dict[str, str]:
            data: object = ask("targets")
            assert isinstance(data, dict)
            return {
                each["labels"]["job"]: f"{each['health']} {each['lastError']}".strip()
                for each in data["activeTargets"]
            }

        waitUntil(lambda: health() == {"txlb": "up", "haproxy": "up"})
        self.checkDashboard(ask)
        firing: set[str] = set()

        def fires() -> bool:
            data: object = ask("alerts")
            assert isinstance(data, dict)
            firing.update(
                each["labels"]["alertname"] for each in data["alerts"] if each["state"] == "firing"
            )
            return {"TxlbHostDown", "TxlbGroupDown"} <= firing

        waitUntil(fires)
        self.assertNotIn("TxlbUnreachable", firing)
        self.assertEqual(health(), {"txlb": "up", "haproxy": "up"})
        data: object = ask("query?query=haproxy_server_status%7Bstate%3D%22DOWN%22%7D")
        assert isinstance(data, dict)
        [sample] = data["result"]
        self.assertEqual(sample["metric"]["proxy"], "web:main")
        self.assertEqual(sample["value"][1], "1")
