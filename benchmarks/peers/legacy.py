"""
A relay of txLoadBalancer 1.1.0's design, written anew for Python 3: a protocol
for each side of a connection, which writes to the other's transport all bytes that it
receives. Nothing makes a fast sender wait for a slow receiver, nothing is closed
by halves; the host with the fewest connections is found by looking at all.

C{python -m benchmarks.peers.legacy LISTEN HOST [HOST ..]}
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python.failure import Failure

from benchmarks.peers.arguments import addressesOf

Address = tuple[str, int]


class Tracker:
    """
    Knows the hosts, and how many connections each has.
    """

    def __init__(self, hosts: list[Address]) -> None:
        self.connections = dict.fromkeys(hosts, 0)

    def nextHost(self) -> Address:
        """
        Choose a host, and count a connection more.
        """
        fewest, host = min((count, host) for host, count in self.connections.items())
        self.connections[host] = fewest + 1
        return host

    def ended(self, host: Address) -> None:
        """
        Count a connection less.
        """
        self.connections[host] -= 1


class Sender(Protocol):
    """
    The side of the host.
    """

    transport: Any

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def connectionMade(self) -> None:
        """
        Send what the client has sent meanwhile.
        """
        self.receiver.hostConnected(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Pass it to the client.
        """
        self.receiver.transport.write(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        So the client's ends too.
        """
        self.receiver.transport.loseConnection()


class SenderFactory(ClientFactory):
    """
    Connects to the host of one client.
    """

    noisy = False

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def buildProtocol(self, addr: IAddress | None) -> Sender:
        """
        One sender for the receiver.
        """
        return Sender(self.receiver)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """
        Handle the end of the client's connection.
        """
        self.receiver.transport.loseConnection()


class Receiver(Protocol):
    """
    The side of the client.
    """

    transport: Any

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.sender: Sender | None = None
        self.early: list[bytes] = []
        self.lost = False

    def connectionMade(self) -> None:
        """
        Look for a host.
        """
        self.host = self.tracker.nextHost()
        loop: Any = reactor
        loop.connectTCP(*self.host, SenderFactory(self))

    def hostConnected(self, sender: Sender) -> None:
        """
        Send to the host what has come before it was there.
        """
        self.sender = sender
        for data in self.early:
            sender.transport.write(data)
        self.early = []
        if self.lost:
            sender.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        Pass it to the host.
        """
        if self.sender is not None:
            self.sender.transport.write(data)
        else:
            self.early.append(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        So the host's ends too.
        """
        self.lost = True
        self.tracker.ended(self.host)
        if self.sender is not None:
            self.sender.transport.loseConnection()


class ReceiverFactory(Factory[Receiver]):
    """
    A receiver for each client.
    """

    noisy = False

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def buildProtocol(self, addr: IAddress | None) -> Receiver:
        """
        One for this client.
        """
        return Receiver(self.tracker)


def main(arguments: list[str]) -> None:
    """
    Relay until a signal ends it.
    """
    listen, *hosts = addressesOf(arguments)
    loop: Any = reactor
    loop.listenTCP(listen[1], ReceiverFactory(Tracker(hosts)), 4096, listen[0])
    loop.run()


if __name__ == "__main__":
    main(sys.argv[1:])
