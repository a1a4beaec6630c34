"""A pool of cloud services reached over plain HTTP, for sites with a second cluster and no Pub/Sub.

`http_pool` does the talking; which service is asked, and what an answer means, is decided in pure code beside it.
"""
