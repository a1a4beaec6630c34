"""The page, the dashboard and the HTTP API: one process that people and programs talk to.

`jobs` keeps what they asked for, `people` says who they are, `live` hears how the fleet is, `api` is all of that over
HTTP, `pages` shows it. Pages hold no state: what moves on them comes over the same API that programs use.
"""
