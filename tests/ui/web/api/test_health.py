from tests.ui.web.api.house import House


def test_a_page_that_works_says_so_to_anybody(house: House) -> None:
    with house.client() as nobody:
        assert nobody.get("/health").json() == {"status": "alive"}
        assert (nobody.get("/ready").status_code, nobody.get("/ready").json()) == (200, {"status": "ready"})
