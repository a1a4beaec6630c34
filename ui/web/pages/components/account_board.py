"""The account page's component: what it shows beyond these words it asks the HTTP API for."""

from nicegui.element import Element

from bus.page_settings import Login
from ui.web.people.person import Person


class AccountBoard(Element, component="account_board.js"):
    """Somebody's own account; `address` is the page's, as they see it."""

    def __init__(self, person: Person, login: Login, address: str) -> None:
        super().__init__()
        self.props.update(name=person.name, role=person.role, login=login, address=address)
