# Three hosts behind one port. Run it with
#
#     twistd -noy announcement.tac

from twisted.application import service

from txlb import manager
from txlb.application.service import LoadBalancedService
from txlb.model import HostMapper
from txlb.schedulers import leastc

proxyServices = [
    HostMapper(proxy='127.0.0.1:8080', lbType=leastc, host='host1', address='127.0.0.1:7001'),
    HostMapper(proxy='127.0.0.1:8080', lbType=leastc, host='host2', address='127.0.0.1:7002'),
    HostMapper(proxy='127.0.0.1:8080', lbType=leastc, host='host3', address='127.0.0.1:7003'),
]

application = service.Application('Demo LB Service')
pm = manager.proxyManagerFactory(proxyServices)
lbs = LoadBalancedService(pm)
lbs.setServiceParent(application)
