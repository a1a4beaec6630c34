"""Webhooks: overspill calls an address of yours when a job ends.

`signing` and `retries` decide, `reach` and `calling` go out, `hooks` and `deliveries` are what is kept. Nothing here
knows of the page or of HTTP coming in.
"""
