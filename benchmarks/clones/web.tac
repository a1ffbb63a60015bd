"""
The web site that benchmarks.clones clones: the page of benchmarks.peers.webapp, and long
answers. The environment says how: PORT, CLONES, FOLDER, STANDBY; it does not start while there is a
file at the path BROKEN.
"""

import os

from twisted.application import service
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from benchmarks.peers.webapp import Page
from txlb.cloning import CloningService

CHUNK = bytes(262144)

if os.path.exists(os.environ["BROKEN"]):
    raise SystemExit("this release is broken")


class Long(Resource):
    """
    As many bytes as the path says.
    """

    isLeaf = True

    def render_GET(self, request):
        """
        Send them as the client takes them.
        """
        size = int(request.postpath[0])
        request.setHeader(b"content-length", b"%d" % size)
        request.registerProducer(Sending(request, size), False)
        return NOT_DONE_YET


class Sending:
    """
    Produces a long answer.
    """

    def __init__(self, request, size):
        self.request = request
        self.left = size

    def resumeProducing(self):
        """
        Send the next part.
        """
        count = min(self.left, len(CHUNK))
        self.left -= count
        self.request.write(CHUNK[:count])
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self):
        """
        Do nothing: the client is gone.
        """


root = Resource()
root.putChild(b"", Page())
root.putChild(b"long", Long())
site = Site(root)
site.log = lambda request: None
site.noisy = False
application = service.Application("web")
CloningService(
    f"tcp:{os.environ['PORT']}:interface=127.0.0.1",
    site,
    processes=int(os.environ["CLONES"]),
    folder=os.environ["FOLDER"],
    standby=bool(os.environ["STANDBY"]),
).setServiceParent(application)
