"""
Brokers of STOMP that tests start.

Tests use ActiveMQ, which is there in a second. With C{TXLB_BROKER=rabbitmq} in the environment they
use RabbitMQ, whose start takes ten: it is for running them by hand.
"""

from __future__ import annotations

import glob
import os
import signal
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509 import load_pem_x509_certificate

from tests.certificates import Authority, newKey
from tests.integration.programs import Program, environment
from tests.integration.support import IntegrationTestCase, freePorts

#: The broker that tests use.
KIND = os.environ.get("TXLB_BROKER", "activemq")

#: The user and the password.
USER, PASSWORD = "guest", "not-a-guess"

#: The password of files of certificates.
SECRET = "secret"

#: Where Debian has RabbitMQ's own script, which any user can run.
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class Broker:
    """
    A broker on the loopback interface, with a folder and ports of its own.

    @param case: the test. It stops the broker at its end.
    @param secure: whether it speaks TLS, with the certificate that L{writeCertificates} has
        written, and wants a certificate of each client.

    @ivar url: its URL.
    @ivar program: the process.
    """

    def __init__(self, case: IntegrationTestCase, secure: bool = False) -> None:
        self._case = case
        self._secure = secure
        if KIND == "rabbitmq":
            case.need("epmd", "erl", RABBITMQ)
            self.port, self._distribution, self._mapper = freePorts(3)
            self._folder = case.shortFolder()
            # Erlang's nodes ask a process that outlives them for ports. This one does not.
            mapper = Program(
                ["epmd", "-port", str(self._mapper), "-address", "127.0.0.1"],
                self._folder,
                environment(HOME=str(self._folder)),
            )
            case.addCleanup(mapper.stop, signal.SIGKILL)
            mapper.waitForPort(self._mapper)
        else:
            case.need("java", "activemq")
            (self.port,) = freePorts(1)
        self.url = f"stomp{'+ssl' if secure else ''}://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """
        Start it, and wait until it accepts connections.
        """
        started = self._startRabbitMQ() if KIND == "rabbitmq" else self._startActiveMQ()
        self.program = started
        self._case.addCleanup(started.stop, signal.SIGKILL)
        started.waitForPort(self.port)

    def _startActiveMQ(self) -> Program:
        jars = [
            *glob.glob("/usr/share/activemq/lib/*.jar"),
            *glob.glob("/usr/share/activemq/lib/optional/*.jar"),
        ]
        connector = f"stomp://127.0.0.1:{self.port}"
        if self._secure:
            connector = f"stomp+ssl://127.0.0.1:{self.port}?needClientAuth=true"
        return Program(
            [
                "java",
                "-Xmx256m",
                # It is there sooner.
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Djavax.net.ssl.keyStore=server.p12",
                f"-Djavax.net.ssl.keyStorePassword={SECRET}",
                "-Djavax.net.ssl.trustStore=clients.p12",
                f"-Djavax.net.ssl.trustStorePassword={SECRET}",
                "-cp",
                ":".join(jars),
                "org.apache.activemq.console.Main",
                "start",
                f"broker:({connector})?persistent=false&useJmx=false&brokerName=b{self.port}",
            ],
            self._case.folder,
        )

    def _startRabbitMQ(self) -> Program:
        folder = self._folder
        (folder / "plugins").write_text("[rabbitmq_stomp].\n")
        listeners = f"stomp.listeners.tcp.1 = 127.0.0.1:{self.port}"
        if self._secure:
            files = self._case.folder
            listeners = f"""\
stomp.listeners.tcp = none
stomp.listeners.ssl.1 = 127.0.0.1:{self.port}
ssl_options.cacertfile = {files / "ca.pem"}
ssl_options.certfile = {files / "server.pem"}
ssl_options.keyfile = {files / "server.key"}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true"""
        (folder / "rabbit.conf").write_text(
            f"""\
listeners.tcp = none
{listeners}
default_user = {USER}
default_pass = {PASSWORD}
log.console = true
log.file = false
disk_free_limit.absolute = 1MB
"""
        )
        environ = environment(
            HOME=str(folder),
            ERL_EPMD_ADDRESS="127.0.0.1",
            ERL_EPMD_PORT=str(self._mapper),
            RABBITMQ_ALLOW_INPUT="1",
            RABBITMQ_CONFIG_FILE=str(folder / "rabbit.conf"),
            RABBITMQ_DIST_PORT=str(self._distribution),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(folder / "plugins"),
            RABBITMQ_GENERATED_CONFIG_DIR=str(folder / "generated"),
            RABBITMQ_LOG_BASE=str(folder / "log"),
            RABBITMQ_MNESIA_BASE=str(folder / "mnesia"),
            RABBITMQ_NODENAME=f"b{self.port}@localhost",
            RABBITMQ_PID_FILE=str(folder / "pid"),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-noinput",
        )
        return Program([RABBITMQ], Path(folder), environ)

    def kill(self) -> None:
        """
        Kill it.
        """
        self.program.stop(signal.SIGKILL)

    def pause(self) -> None:
        """
        Stop it, so that it is silent while its connections stay.
        """
        os.killpg(self.program.process.pid, signal.SIGSTOP)

    def goOn(self) -> None:
        """
        Let it go on.
        """
        os.killpg(self.program.process.pid, signal.SIGCONT)


def writeCertificates(folder: Path, authority: Authority) -> None:
    """
    Write the files of a broker that speaks TLS, as both kinds read them: C{ca.pem}, C{server.pem}
    and C{server.key}; C{server.p12} and C{clients.p12}. C{own.pem} is for its clients.
    """
    key = newKey()
    pem, keyPEM = authority.certify(["127.0.0.1"], key)
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "server.pem").write_bytes(pem)
    (folder / "server.key").write_bytes(keyPEM)
    (folder / "own.pem").write_bytes(b"".join(authority.certify(["client"])))
    password = BestAvailableEncryption(SECRET.encode())
    certificate = load_pem_x509_certificate(pem)
    (folder / "server.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"broker", key, certificate, None, password)
    )
    trusted = pkcs12.PKCS12Certificate(load_pem_x509_certificate(authority.pem), b"ca")
    (folder / "clients.p12").write_bytes(pkcs12.serialize_java_truststore([trusted], password))
