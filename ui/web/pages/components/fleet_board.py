"""The dashboard's component: it fetches all it shows from the HTTP API by itself."""

from nicegui.element import Element


class FleetBoard(Element, component="fleet_board.js"):
    """How the fleet is, live, with what an operator may do about it."""
