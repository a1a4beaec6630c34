"""What stands before the page and what starts it, read without either."""

import configparser
import re
from pathlib import Path

from bus.settings import Settings
from ui.web.api.preferences import LONGEST_WAIT_S

FOLDER = Path(__file__).parents[2] / "deploy" / "page"
NGINX = (FOLDER / "nginx.conf").read_text(encoding="utf-8")


def default(name: str) -> object:
    return Settings.model_fields[name].default


def told(header: str) -> str:
    """What nginx writes into a header on its way to the page."""
    (value,) = re.findall(rf"proxy_set_header {header}\s+(\S+);", NGINX)
    return str(value)


def test_nginx_leads_to_the_page_and_writes_anew_whatever_the_page_believes_of_a_proxy() -> None:
    assert f"server 127.0.0.1:{default('page_port')};" in NGINX
    assert told("X-Forwarded-For") == "$remote_addr"
    assert told("X-Forwarded-Proto") == "$scheme"
    assert told("Host") == told("X-Forwarded-Host") == "$http_host"
    assert told(str(default("page_proxy_header"))) == '""'


def test_nginx_lets_websockets_and_streams_through_and_waits_longer_than_the_page_does() -> None:
    assert told("Upgrade") == "$http_upgrade"
    assert {"proxy_buffering         off;", "proxy_request_buffering off;"} <= {
        line.strip() for line in NGINX.splitlines()
    }
    (timeout_s,) = re.findall(r"proxy_read_timeout\s+(\d+)s;", NGINX)
    assert int(timeout_s) > LONGEST_WAIT_S


def test_the_service_keeps_its_things_where_systemd_makes_room_for_it() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names in a unit have capitals
    unit.read(FOLDER / "overspill-page.service")
    service = unit["Service"]
    assert service["Environment"] == f"OVERSPILL_PAGE_DIR=/var/lib/{service['StateDirectory']}"
    assert service["ExecStart"].endswith("/overspill page")
    assert service["ProtectSystem"] == "strict"
