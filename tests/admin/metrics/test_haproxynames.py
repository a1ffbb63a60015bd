"""
Metrics by the names of HAProxy's exporter.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.admin.metrics.test_exposition import ExpositionCase
from tests.admin.metrics.texts import Labels, ReadFamily, readText, valuesOf
from txlb.admin import Target
from txlb.admin._history import History
from txlb.admin.metrics import HAProxyExposition
from txlb.admin.metrics._servers import CHECK_STATES, EXPORTED, SERVER_STATES, STATUS
from txlb.model import HealthCheck, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Attempt, CheckResult, HealthState, PassiveState, RefusalKind

A: Labels = (("proxy", "web:prod"), ("server", "a"))
PROD: Labels = A[:1]
WEB: Labels = (("proxy", "web"),)


class HAProxyTests(ExpositionCase):
    def read(self, openMetrics: bool = False) -> dict[str, ReadFamily]:
        target = Target(self.lbs, None, History())
        text = b"".join(HAProxyExposition(target).text(openMetrics)).decode()
        return dict(readText(text, openMetrics))

    def test_both(self) -> None:
        text, openMetrics = self.read(), self.read(openMetrics=True)
        self.assertEqual({name.removesuffix("_total") for name in text}, set(openMetrics))
        for family in text.values():
            self.assertEqual(
                set(family.samples),
                set(openMetrics[family.name.removesuffix("_total")].samples),
            )

    def stateOf(self, families: Mapping[str, ReadFamily], name: str, labels: Labels) -> list[str]:
        return [
            key[-1][1]
            for key, value in valuesOf(families, name).items()
            if key[:-1] == labels and value == 1
        ]

    def test_server(self) -> None:
        self.manager.setDefaultCheck(HealthCheck("tcp"))
        with self.pool.acquire() as lease:
            lease.add(10, 20)
        held = self.pool.acquire()
        name = held.host.name
        labels: Labels = (*PROD, ("server", name))
        self.pool.watch(name, 1, 1)
        self.pool.reportCheck(name, CheckResult(False, "refused", 0.25))
        self.clock.advance(7)
        families = self.read()
        for metric, wanted in (
            ("current_sessions", 1),
            ("connection_attempts_total", 1),
            ("check_failures_total", 1),
            ("check_up_down_total", 1),
            ("check_last_change_seconds", 7),
            ("downtime_seconds_total", 7),
            ("check_duration_seconds", 0.25),
            ("uweight", 1),
        ):
            with self.subTest(metric):
                self.assertEqual(valuesOf(families, f"haproxy_server_{metric}")[labels], wanted)
        self.assertEqual(self.stateOf(families, "haproxy_server_status", labels), ["DOWN"])
        self.assertEqual(self.stateOf(families, "haproxy_server_check_status", labels), ["L4CON"])
        other: Labels = (*PROD, ("server", lease.host.name))
        self.assertEqual(valuesOf(families, "haproxy_server_bytes_out_total")[other], 20)
        # It is not checked.
        self.assertNotIn(other, valuesOf(families, "haproxy_server_check_failures_total"))
        self.assertEqual(self.stateOf(families, "haproxy_server_status", other), ["UP"])
        self.assertEqual(self.stateOf(families, "haproxy_server_check_status", other), [])

    def test_backend(self) -> None:
        step = self.pool.dial().start()
        assert isinstance(step, Attempt)
        step.connected().release()
        self.manager.drain("web", "prod", "a")
        families = self.read()
        self.assertEqual(valuesOf(families, "haproxy_backend_sessions_total")[PROD], 1)
        self.assertEqual(valuesOf(families, "haproxy_backend_active_servers")[PROD], 1)
        self.assertEqual(self.stateOf(families, "haproxy_backend_status", PROD), ["UP"])
        states = valuesOf(families, "haproxy_backend_agg_server_status")
        found = {key[-1][1]: value for key, value in states.items() if key[:1] == PROD}
        self.assertEqual(found, {"DOWN": 0, "UP": 1, "MAINT": 0, "DRAIN": 1, "NOLB": 0})
        self.manager.maintenance("web", "prod", "b")
        families = self.read()
        self.assertEqual(self.stateOf(families, "haproxy_backend_status", PROD), ["DOWN"])

    def test_frontend(self) -> None:
        counters = self.manager.getCounters("web")
        counters.active, counters.accepted = 2, 9
        counters.refused[RefusalKind.DENIED] = 3
        counters.refused[RefusalKind.CLIENT_RATE] = 1
        families = self.read()
        for metric, wanted in (
            ("current_sessions", 2),
            ("limit_sessions", 10000),
            ("sessions_total", 9),
            ("connections_total", 13),
            ("denied_connections_total", 3),
            ("denied_sessions_total", 1),
        ):
            with self.subTest(metric):
                self.assertEqual(valuesOf(families, f"haproxy_frontend_{metric}")[WEB], wanted)
        self.assertEqual(self.stateOf(families, "haproxy_frontend_status", WEB), ["UP"])
        self.assertEqual(valuesOf(families, "haproxy_process_connections_total")[()], 13)
        counters.notAccepting = "no addresses"
        self.assertEqual(self.stateOf(self.read(), "haproxy_frontend_status", WEB), ["DOWN"])

    def test_manyServers(self) -> None:
        """
        The servers of a large group are counted in several steps. One that has no address is in
        maintenance, as HAProxy says.
        """
        hosts = [ProxyHost(f"h{n}", "127.0.0.1", n + 1, maxConnections=9) for n in range(450)]
        hosts.append(ProxyHost("named", "host.example", 80))
        group = ProxyGroup("prod", "roundr", True, hosts)
        self.manager.apply([ProxyService("web", [("127.0.0.1", 8080)], [group])])
        families = self.read()
        states = valuesOf(families, "haproxy_backend_agg_server_status")
        self.assertEqual(states[*PROD, ("state", "UP")], 450)
        self.assertEqual(states[*PROD, ("state", "MAINT")], 1)
        labels: Labels = (*PROD, ("server", "h7"))
        limits = valuesOf(families, "haproxy_server_limit_sessions")
        self.assertEqual(limits[labels], 9)
        self.assertEqual(len(limits), 451)
        named: Labels = (*PROD, ("server", "named"))
        self.assertEqual(self.stateOf(families, "haproxy_server_status", named), ["MAINT"])

    def test_everyState(self) -> None:
        """
        Each state of a host has a word of HAProxy's.
        """
        words = {each.value for each in HealthState} | {each.value for each in PassiveState}
        words |= {"leaving", "unresolved", "maintenance", "drain", "standby", "full", "unchecked"}
        self.assertEqual(set(STATUS), words)
        self.assertLessEqual({EXPORTED[word] for word in STATUS.values()}, set(SERVER_STATES))
        self.assertLessEqual({"L4OK", "L4CON", "L7OK", "L7RSP"}, set(CHECK_STATES))
