"""A world for the router's mind: simulated time, queues, VMs and a cloud around the very `Dispatcher` that routes.

Played back recordings and experiments live in it. It is told who sends what and when, and keeps what became of each
job; it may import what the router is made of, and no broker, no clock and no numpy.
"""
