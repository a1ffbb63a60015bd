"""
Tests for L{txlb.clients._etcd} and L{txlb.clients._etcdwatch} without a server;
C{integration/test_etcd.py} has one.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority
from txlb.clients import (
    Changes,
    EtcdClient,
    EtcdDenied,
    EtcdError,
    EtcdUnreachable,
    EtcdWatch,
    KeyValue,
    Transaction,
)
from txlb.clients._etcd import answerOf, encoded, errorOf, keyValue, prefixEnd
from txlb.errors import CertificateError

URL = "http://127.0.0.1:2379"


class AnswerTests(SynchronousTestCase):
    def test_range(self) -> None:
        self.assertEqual((encoded("a/"), prefixEnd("a/")), ("YS8=", "YTA="))

    def test_keyValue(self) -> None:
        self.assertEqual(keyValue({"key": "YQ=="}), KeyValue("a", b""))
        full = {
            "key": "YQ==",
            "value": "Yg==",
            "create_revision": "2",
            "mod_revision": "3",
            "version": "4",
            "lease": "5",
        }
        self.assertEqual(keyValue(full), KeyValue("a", b"b", 2, 3, 4, 5))

    def test_errors(self) -> None:
        told: tuple[tuple[dict[str, Any], type[EtcdError]], ...] = (
            ({"message": "etcdserver: user name is empty", "code": 3}, EtcdDenied),
            ({"message": "etcdserver: invalid auth token", "code": 16}, EtcdDenied),
            ({"message": "etcdserver: permission denied", "code": 7}, EtcdDenied),
            ({"error": "etcdserver: request timed out", "code": 14}, EtcdUnreachable),
            ({"error": "etcdserver: no leader", "grpc_code": 14}, EtcdUnreachable),
            ({"message": "etcdserver: requested lease not found", "code": 5}, EtcdError),
            ({"code": "x"}, EtcdError),
            ({}, EtcdError),
        )
        for answer, kind in told:
            with self.subTest(answer):
                error = errorOf(URL, answer)
                self.assertIs(type(error), kind)
                self.assertIn(URL, str(error))

    def test_noAnswer(self) -> None:
        for data in (b"", b"[", b"7", b"<html>", b"[" * 100_000):
            self.assertRaises(EtcdUnreachable, answerOf, URL, 200, data)
        self.assertRaises(EtcdError, answerOf, URL, 404, b'{"code": 5, "message": "gone"}')
        self.assertEqual(answerOf(URL, 200, b"{}"), {})

    @given(st.binary(max_size=100), st.sampled_from([200, 400, 503]))
    def test_anything(self, data: bytes, status: int) -> None:
        try:
            answerOf(URL, status, data)
        except EtcdError:
            pass


class TransactionTests(SynchronousTestCase):
    def test_body(self) -> None:
        """
        Keys and values are in base64, and numbers of 64 bits are texts.
        """
        transaction = (
            Transaction()
            .ifCreatedAt("a", 0)
            .ifModifiedAt("b", 7)
            .put("a", b"1", 9)
            .delete("b")
            .delete("c", "d")
        )
        self.assertEqual(
            transaction.body,
            {
                "compare": [
                    {
                        "key": "YQ==",
                        "target": "CREATE",
                        "result": "EQUAL",
                        "create_revision": "0",
                    },
                    {"key": "Yg==", "target": "MOD", "result": "EQUAL", "mod_revision": "7"},
                ],
                "success": [
                    {"request_put": {"key": "YQ==", "value": "MQ==", "lease": "9"}},
                    {"request_delete_range": {"key": "Yg=="}},
                    {"request_delete_range": {"key": "Yw==", "range_end": "ZA=="}},
                ],
            },
        )


class CredentialsTests(SynchronousTestCase):
    def test_replaced(self) -> None:
        """
        Another password is that of the next login; certificates that can't be used change nothing.
        """
        client = EtcdClient(MemoryReactorClock(), [URL], user="me", password="old")
        client._token = "token"
        before = client._endpoints.policy
        self.assertRaises(CertificateError, client.replaceCredentials, "new", b"garbage")
        self.assertEqual(
            (client._password, client._token, client._endpoints.policy), ("old", "token", before)
        )
        client.replaceCredentials("old", Authority().pem)
        self.assertEqual((client._password, client._token), ("old", "token"))
        self.assertIsNot(client._endpoints.policy, before)
        client.replaceCredentials("new")
        self.assertEqual((client._password, client._token), ("new", ""))


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.changes: list[Changes] = []
        self.ends: list[str] = []
        client = EtcdClient(MemoryReactorClock(), [URL])
        self.watch = EtcdWatch(client, "a/", 5, self.changes.append, self.ends.append)

    def tell(self, **result: Any) -> None:
        self.watch._told(json.dumps({"result": {"header": {"revision": "9"}, **result}}).encode())

    def event(self, key: str, value: str | None = None) -> dict[str, Any]:
        kv = {"key": encoded(key)}
        if value is None:
            return {"type": "DELETE", "kv": kv}
        return {"kv": {**kv, "value": encoded(value)}}

    def test_changes(self) -> None:
        self.tell(created=True)
        self.watch._told(b"")
        self.tell(events=[self.event("a/x", "1"), self.event("a/y")])
        self.assertEqual(self.changes, [Changes(9, (KeyValue("a/x", b"1"),), ("a/y",))])

    def test_lastCounts(self) -> None:
        self.tell(
            events=[
                self.event("a/x", "1"),
                self.event("a/x", "2"),
                self.event("a/y", "1"),
                self.event("a/y"),
                self.event("a/z"),
                self.event("a/z", "3"),
            ]
        )
        self.assertEqual(
            self.changes,
            [Changes(9, (KeyValue("a/x", b"2"), KeyValue("a/z", b"3")), ("a/y",))],
        )

    def test_ends(self) -> None:
        for line, word in (
            (b'{"result": {"canceled": true, "compact_revision": "7"}}', "gone"),
            (b'{"result": {"canceled": true, "cancel_reason": "denied"}}', "denied"),
            (b'{"error": {"grpc_code": 14, "message": "no leader"}}', "no leader"),
            (b"[", "Expecting"),
            (b"{}", "result"),
            (b'{"result": {"events": [{}]}}', "kv"),
            (b'{"result": {"events": 7}}', "int"),
        ):
            with self.subTest(line):
                self.setUp()
                self.watch._told(line)
                self.watch._told(line)
                self.assertEqual((len(self.ends), self.changes), (1, []))
                self.assertIn(word, self.ends[0])
