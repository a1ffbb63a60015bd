"""
A web site in four processes. See "Clone an application" in the documentation.
"""


from twisted.application import service
from twisted.web import resource, server

from txlb.cloning import CloningService, whoAmI


class Page(resource.Resource):
    """
    Says which process made it.
    """

    isLeaf = True

    def render_GET(self, request: server.Request) -> bytes:
        """
        Make the page.
        """
        return f"made by {whoAmI().name}\n".encode()


application = service.Application("site")
site = server.Site(Page())
CloningService("tcp:8080:interface=127.0.0.1", site, processes=4).setServiceParent(application)
