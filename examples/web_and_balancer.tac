# A web application on all cores: four processes, restarted when they end, and a
# balancer in front of them. Run it with
#
#     twistd -noy web_and_balancer.tac

import os
import sys

from twisted.application import service
from twisted.runner.procmon import ProcessMonitor

from txlb.application.service import LoadBalancedService
from txlb.manager import proxyManagerFactory
from txlb.model import HostMapper
from txlb.schedulers import leastc

PORTS = (7001, 7002, 7003, 7004)
hello = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hello.py")

application = service.Application("hello")
processes = ProcessMonitor()
processes.setServiceParent(application)
mappers = []
for port in PORTS:
    name = f"hello-{port}"
    processes.addProcess(name, [sys.executable, hello, str(port)], env=dict(os.environ))
    mappers.append(
        HostMapper(
            proxyName="hello",
            proxy="127.0.0.1:8080",
            lbType=leastc,
            host=name,
            address=f"127.0.0.1:{port}",
        )
    )

balancer = LoadBalancedService(proxyManagerFactory(mappers))
balancer.setServiceParent(application)
