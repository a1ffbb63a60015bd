"""
Media types of requests and answers.
"""

from __future__ import annotations

JSON = "application/json"
XML = "application/xml"
STREAM = "text/event-stream"
PROBLEM = "application/problem+json"
