"""The running system, for whoever looks at it or steers it: the command line and the page share what lives here.

`look` and `heard` are pure; `orders` asks the active router for something. Nothing here prints, or knows of HTTP.
"""
