"""Submit jobs and get their answers, from Python.

`AsyncClient` on an event loop, `Client` for programs without one; both have the same methods. A client has a reply
queue of its own, which outlives lost connections and restarts of the broker and is deleted when the client closes.
"""

from producers.client.asynchronous import AsyncClient, JobHandle, Outcome
from producers.client.blocking import BlockingHandle, Client
from producers.client.request import Image, JobOptions, Options

__all__ = ["AsyncClient", "BlockingHandle", "Client", "Image", "JobHandle", "JobOptions", "Options", "Outcome"]
