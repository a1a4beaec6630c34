"""How the fleet is, for the dashboard: heard on the bus, folded into a sample a second, told to any number of viewers.

`sample` says what is told. Everything is decided in `board`, `columns`, `quantiles` and `patch`, which are pure; `feed`
and `past` listen to the bus, `hub` hands out, and `live` puts them together.
"""
