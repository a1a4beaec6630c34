"""Who publishes jobs: the router, and the client library.

`placement`, `fairness` and `dispatcher` decide, in pure code; `router` and `client` act.
Never imports `consumers`: a job is known here by its envelope alone.
"""
