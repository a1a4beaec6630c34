from fastapi import FastAPI

from ui.web.api.document import EVERYWHERE, binary, describe, header, problems


def test_a_status_is_told_with_its_problem_and_when_it_may_pass() -> None:
    told = problems(404, 429)
    assert told[404]["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "headers" not in told[404]
    assert "Retry-After" in told[429]["headers"]


def test_a_file_is_told_by_its_types() -> None:
    told = binary("A picture.", "image/png", headers={"ETag": header("Its version.")})
    assert told["content"] == {"image/png": {"schema": {"type": "string", "format": "binary"}}}
    assert told["headers"]["ETag"]["schema"] == {"type": "string"}


def test_the_document_knows_problems_and_nothing_of_its_makers() -> None:
    app = FastAPI(responses=EVERYWHERE)

    async def number(n: int) -> dict[str, int]:
        return {"n": n}

    app.add_api_route("/{n}", number, methods=["GET"])
    describe(app)
    document = app.openapi()

    assert document is app.openapi()
    assert {"Problem", "Caption"} <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in str(document)
    assert list(document["paths"]["/{n}"]["get"]["responses"]["422"]["content"]) == ["application/problem+json"]
