"""
The web console, the REST interface and the metrics: a door to the same commands that the manhole
and the control socket have, L{txlb.admin.COMMANDS}.

  - C{_operation.py}: one method of one path, as data. C{_commandoperations.py} makes them of the
    commands, C{_tree.py} has the resources of services, groups, hosts and listeners,
    C{_ownoperations.py} the others. C{_operations.py} is the table of them all, from which
    C{_openapi.py} makes the OpenAPI document.
  - C{_resource.py}: from a request to its operation, and to the answer. C{_answering.py} writes a
    long answer as the client reads it.
  - C{_guard.py}, C{_headers.py}: protection from pages of other sites.
  - C{_authority.py}, C{_sessions.py}, C{_tokens.py}: logins.
  - C{_versions.py}: C{ETag} and C{If-Match}.
  - C{_streams.py}, C{_eventstream.py}, C{_updates.py}, C{_overview.py}: the stream of events, and
    the updates of the page that shows all.
  - C{_channel.py}, C{_request.py}, C{_site.py}: connections, and their bounds.
  - C{_static.py}, C{static/}: the files of the pages.
  - C{_service.py}: the service.

For pages
=========

All paths are relative to the place of the console: pages ask for C{api/v1/...} without a slash
before it, as an application may have put the console below a path of its own.

  - C{POST api/v1/login} with C{{"user", "password"}} begins a session, which is in a cookie;
    C{POST api/v1/logout} ends it; C{GET api/v1/session} tells the user, with its C{access}. Every
    request without a session is answered with 401.
  - C{GET api/v1/overview} has all in a short form. C{columns} are the names of the values of a
    host; C{last} is the number of the last event.
  - C{GET api/v1/events} as an C{EventSource} sends C{hello} (C{last}, C{refresh} in seconds);
    C{event} for each event, with its number as the id; C{update} each C{refresh} seconds, with
    C{time}, all C{services} and C{groups} without hosts, the C{hosts} that have changed (the
    names of the service and the group, then the values of C{columns}) and the keys that were
    C{removed}; C{gap} where something was left out: of C{updates}, or of C{events}. After a gap of
    updates, and after each C{hello}, a page gets the overview anew. The first C{update} has all
    hosts.
  - C{GET api/v1/services/S/groups/G/hosts/H}, and the resources above it, with an C{ETag}. Their
    C{settings} have an entry in C{origins} each: C{default}, C{file}, or C{live} for one that the
    file does not have so.
  - Commands are C{POST api/v1/services/S/groups/G/hosts/H/drain} and so on, with a JSON body and
    C{Content-Type: application/json}; the answer has C{rows}. C{api/openapi.json} lists them all.
  - An error is a problem of RFC 9457, whose C{detail} is the sentence for people.

Files of C{static/} are served as they are. C{index.html} is the page of the path of the console
itself, and C{login.html} that of C{login}.
"""

from txlb.admin.web._embedded import webResource
from txlb.admin.web._service import WebService, webService, webServiceOf

__all__ = ["WebService", "webResource", "webService", "webServiceOf"]
