"""The border around the routes, on the functions that are behind it."""

import base64
import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from clinical import api as border
from clinical.contract import Combination
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import Champion
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import openapi
from tests.unit.conftest import Answer, Api, Candidate, emf_lines

LAMBDA_LIMIT = 6 * 1024 * 1024
MARGIN = 0.75  # of it: what is largest here is not quite what is largest anywhere

POSTS = ("/predict", "/predict/batch")
GETS = ("/model", "/health", "/docs", "/openapi.json")


@pytest.fixture
def bucket(store: ObstoreBucket) -> ObstoreBucket:
    """Models are published to where they serve from."""
    return store


@pytest.fixture
def api(predict_api: Api, candidate: Candidate, promote: Callable[[Candidate], Champion]) -> Api:
    promote(candidate)
    return predict_api


# ── What is asked for ───────────────────────────────────────────────────────────────────────────


def body_for(path: str, patient: dict[str, object]) -> object:
    return patient if path == "/predict" else {"patients": [patient]}


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"headers": {"Content-Type": "Application/JSON"}},
        {"headers": {"CONTENT-TYPE": ' application/json ; charset="UTF-8"'}},
        {"headers": {"content-type": ""}},
        {"headers": {}},
        {"headers": None, "multiValueHeaders": None},
        {"headers": {}, "multiValueHeaders": {"Content-type": ["application/JSON; charset=utf8"]}},
        {"headers": {"Content-Type": "application/json"}, "multiValueHeaders": {}},
        {"headers": {"content-encoding": "Identity"}},
    ],
)
def test_json_is_read_by_any_spelling_of_its_type(
    api: Api, patient: dict[str, object], path: str, headers: dict[str, Any]
) -> None:
    assert api("POST", path, body_for(path, patient), **headers).status == 200


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"headers": {"content-type": "application/problem+json"}}, "application/problem+json"),
        ({"headers": {"content-type": "application/json; charset=utf-16"}}, "utf-16"),
        ({"headers": {"Content-Encoding": "gzip"}}, "gzip"),
        (
            {
                "headers": {"Content-Type": "application/json"},
                "multiValueHeaders": {"Content-Type": ["text/csv", "application/json"]},
            },
            "text/csv",
        ),
        ({"headers": {"content-type": "application/json", "Content-Type": "a/b"}}, "a/b"),
    ],
)
def test_what_says_that_it_is_something_else_is_named(
    api: Api, patient: dict[str, object], path: str, headers: dict[str, Any], named: str
) -> None:
    answer = api("POST", path, body_for(path, patient), **headers)

    assert answer.status == 415
    assert named in answer.body["detail"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[]", "an array"),
        ("[[]]", "an array"),
        ("null", "null"),
        ("7", "a number"),
        ("7.5", "a number"),
        ("true", "a boolean"),
        ('""', "a string"),
        ('"text"', "a string"),
    ],
)
def test_a_body_is_one_object(api: Api, path: str, text: str, kind: str) -> None:
    answer = api("POST", path, text)

    assert answer.status == 422
    (error,) = answer.body["errors"]
    assert (error["loc"], error["type"]) == (["body"], "model_type")
    assert f"a single JSON object, not {kind}" in error["msg"]


@pytest.mark.parametrize("number", [1, 2])
def test_an_array_of_patients_is_told_where_it_belongs(
    api: Api, patient: dict[str, object], number: int
) -> None:
    answer = api("POST", "/predict", [patient] * number)

    assert answer.status == 422
    assert answer.body["detail"] == (
        "body: Input should be a single JSON object, not an array; for several patients, use "
        "POST /predict/batch."
    )


def test_an_array_is_nowhere_its_first_element(api: Api, patient: dict[str, object]) -> None:
    batch = {"patients": [patient]}

    assert api("POST", "/predict/batch", [batch]).status == 422
    assert api("POST", "/predict/batch", [patient]).status == 422
    assert api("POST", "/predict/batch", {"patients": patient}).status == 422
    assert api("POST", "/predict", patient | {"Age": [56]}).status == 422
    (row,) = api("POST", "/predict/batch", {"patients": [[patient]]}).body["predictions"]
    assert row["errors"][0]["msg"] == "Input should be a single JSON object, not an array"


@pytest.mark.parametrize("path", POSTS)
def test_a_key_that_is_there_twice_is_refused_by_name(
    api: Api, patient: dict[str, object], path: str
) -> None:
    text = json.dumps(body_for(path, patient)).replace('"Age": 56', '"Age": 56, "Age": 20')
    assert text.count("Age") == 2

    answer = api("POST", path, text)

    assert answer.status == 400
    assert "the key Age more than once" in answer.body["detail"]


@pytest.mark.parametrize(
    ("value", "explained"),
    [
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("1", True),
        ("yes", True),
        ("false", False),
        ("False", False),
        ("0", False),
    ],
)
def test_explaining_is_asked_for_as_the_document_says(
    api: Api, patient: dict[str, object], value: str, *, explained: bool
) -> None:
    for query in (
        {"queryStringParameters": {"explain": value}},
        {"multiValueQueryStringParameters": {"explain": [value]}},
    ):
        answer = api("POST", "/predict", patient, **query)
        assert answer.status == 200
        assert ("contributions" in answer.body) is explained


@pytest.mark.parametrize(
    "values", [[""], [" "], ["maybe"], ["true,true"], ["true", "true"], ["true", "false"]]
)
def test_explaining_is_asked_for_once_and_clearly(
    api: Api, patient: dict[str, object], values: list[str]
) -> None:
    answer = api(
        "POST",
        "/predict",
        patient,
        queryStringParameters={"explain": values[-1]},
        multiValueQueryStringParameters={"explain": values},
    )

    assert answer.status == 422
    assert [error["loc"] for error in answer.body["errors"]] == [["query", "explain"]]


def test_other_query_parameters_are_ignored(api: Api, patient: dict[str, object]) -> None:
    query = {"Explain": "true", "_": "1", "patient": ""}

    answer = api("POST", "/predict", patient, queryStringParameters=query)

    assert answer.said == api("POST", "/predict", patient).said
    assert api("GET", "/health", queryStringParameters=query).status == 200


# ── Routes ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", GETS)
def test_head_answers_as_get_without_a_body(api: Api, path: str) -> None:
    by_get = api("GET", path)

    by_head = api("HEAD", path)

    assert by_get.text
    assert by_head.text == ""
    assert (by_head.status, by_head.headers) == (by_get.status, by_get.headers)


def test_head_of_a_problem_has_no_body_either(predict_api: Api, dropdown_api: Api) -> None:
    for api, path in (
        (predict_api, "/model"),
        (predict_api, "/health"),
        (dropdown_api, "/dropdown-values"),
    ):
        assert api("GET", path).status == 503
        assert api("HEAD", path).status == 503
        assert api("HEAD", path).text == ""


def test_head_counts_as_a_request_of_its_route(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api("HEAD", "/health")

    (line,) = [line for line in emf_lines(capsys.readouterr().out) if "Latency" in line]
    assert line["route"] == "GET /health"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/predict"),
        ("GET", "/predict"),
        ("POST", "/health"),
        ("GET", "/"),
        ("PUT", "/model"),
    ],
)
def test_another_method_or_path_is_not_there(
    api: Api, patient: dict[str, object], method: str, path: str
) -> None:
    assert api(method, path, patient if method == "POST" else None).status == 404


@pytest.mark.parametrize(
    "path",
    ["/clinic/predict", "/v1/predict", "/predict/", "//predict", "/pre%64ict", "/a/b/predict//"],
)
def test_the_resource_decides_whatever_the_path(
    api: Api, patient: dict[str, object], path: str
) -> None:
    assert api("POST", path, patient, resource="/predict").status == 200
    assert api("POST", "/predict", patient, resource="/{proxy+}").status == 404


@pytest.mark.parametrize("path", ["/predict", "/predict/", "/predict//"])
def test_without_a_resource_the_path_decides_however_it_ends(
    api: Api, patient: dict[str, object], path: str
) -> None:
    assert api("POST", path, patient, resource=None).status == 200
    assert api("POST", f"/base{path}", patient, resource=None).status == 404


@pytest.mark.parametrize(
    ("path", "api_is_at"),
    [("/docs", "."), ("/docs/", ".."), ("/base/docs", "."), ("/base/docs/", "..")],
)
def test_the_documentation_finds_the_api_from_where_it_is(
    api: Api, path: str, api_is_at: str
) -> None:
    page = api("GET", path, resource="/docs")
    linked = api("GET", path, resource="/docs", queryStringParameters={"format": "json"})

    assert page.status == 200
    assert f'"url": "{api_is_at}"' in page.text
    assert linked.body == openapi.DOCUMENT | {"servers": [{"url": api_is_at}]}


# ── Pages of other origins ──────────────────────────────────────────────────────────────────────


def test_every_route_has_a_preflight_with_its_methods(api: Api, dropdown_api: Api) -> None:
    for function in (api, dropdown_api):
        for route in function.module.app._static_routes:
            answer = function("OPTIONS", route.path, headers={"origin": "https://lab.example"})
            assert answer.status == 204
            assert answer.text == ""
            allowed = answer.headers["Access-Control-Allow-Methods"].split(",")
            assert route.method in allowed
            assert ("HEAD" in allowed) == (route.method == "GET")
            assert answer.headers["Access-Control-Allow-Origin"] == "https://lab.example"


def test_a_path_that_is_not_there_has_no_preflight(api: Api) -> None:
    assert api("OPTIONS", "/nowhere", headers={"origin": "https://lab.example"}).status == 404


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "https://lab.example"])
def test_every_answer_varies_by_the_origin(api: Api, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}

    for method, path, body in (
        ("GET", "/health", None),
        ("POST", "/predict", {}),
        ("GET", "/nowhere", None),
        ("OPTIONS", "/predict", None),
    ):
        answer = api(method, path, body, headers=headers)
        assert answer.headers["Vary"] == "Origin"
        allowed = "https://lab.example" if origin == "https://lab.example" else None
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed


# ── How much is answered ────────────────────────────────────────────────────────────────────────


def test_a_problem_lists_so_many_violations_and_says_how_many_more(
    api: Api, patient: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = api("POST", "/predict", patient | {f"unknown {number}": 1 for number in range(250)})

    assert answer.status == 422
    assert len(answer.body["errors"]) == border.LISTED_VIOLATIONS
    assert answer.body["more_errors"] == 250 - border.LISTED_VIOLATIONS
    assert answer.body["detail"].endswith(f"; and {250 - border.REPORTED_IN_DETAIL} more.")
    (line,) = [line for line in emf_lines(capsys.readouterr().out) if "violations" in line]
    assert len(line["violations"]) == border.LOGGED_VIOLATIONS
    assert line["more_violations"] == 250 - border.LOGGED_VIOLATIONS


def test_a_problem_that_lists_all_has_no_more(api: Api, patient: dict[str, object]) -> None:
    assert "more_errors" not in api("POST", "/predict", patient | {"Age": 17}).body
    assert "more_errors" not in api("GET", "/nowhere").body


def test_a_clients_own_word_is_not_repeated_whole(api: Api, patient: dict[str, object]) -> None:
    answer = api("POST", "/predict", patient | {"k" * 60_000: 1})

    assert answer.status == 422
    assert answer.size < 1500


def test_every_wrong_row_says_something_and_none_loses_count(
    api: Api, patient: dict[str, object]
) -> None:
    row = patient | {f"column {number}": 1 for number in range(50)}
    rows = [row] * 700
    assert len(json.dumps({"patients": rows})) < params().serving.max_batch_bytes

    answer = api("POST", "/predict/batch", {"patients": rows})

    assert answer.size < LAMBDA_LIMIT * MARGIN
    for problem in answer.body["predictions"]:
        assert problem["errors"]
        assert len(problem["errors"]) + problem["more_errors"] == 50


def largest(rows: Callable[[int], dict[str, object]]) -> str:
    """A batch of as many such rows as a request may have."""
    texts, left = list[str](), params().serving.max_batch_bytes - 20
    for number in range(params().serving.max_batch_rows):
        text = json.dumps(rows(number), ensure_ascii=False)
        if (left := left - len(text.encode()) - 1) < 0:
            break
        texts.append(text)
    return '{"patients":[' + ",".join(texts) + "]}"


WIDE = "\U0001f600"  # four bytes to send, and 14 to answer as JSON within JSON

LARGEST: dict[str, Callable[[dict[str, Any]], str]] = {
    "right": lambda one: largest(lambda number: one | {"Patient_ID": WIDE * 64}),
    "control characters": lambda one: largest(lambda number: one | {"Patient_ID": "\x01" * 64}),
    "every field wrong": lambda one: largest(lambda number: dict.fromkeys(one, "?")),
    "every field missing": lambda one: largest(lambda number: {}),
    "columns of other names": lambda one: largest(
        lambda number: {f"{number} {name} of other data": "?" for name in one}
    ),
    "many unknown columns": lambda one: largest(
        lambda number: one | {f"c{column}": 1 for column in range(90)}
    ),
    "wide unknown columns": lambda one: largest(
        lambda number: {WIDE * 20 + str(column): 1 for column in range(11)}
    ),
    "few rows of wide columns": lambda one: largest(
        lambda number: {WIDE * 64 + str(column): 1 for column in range(110)}
    ),
    "short unknown columns": lambda one: largest(
        lambda number: {f"{column:x}": 1 for column in range(160)}
    ),
    "quotes": lambda one: largest(
        lambda number: {'"\\' * 32 + str(column): 1 for column in range(7)}
    ),
    "one row of columns": lambda one: json.dumps(
        {"patients": [{f"{column:x}": 1 for column in range(90_000)}]}
    ),
}


@pytest.mark.parametrize("kind", LARGEST)
def test_no_answer_to_a_batch_passes_what_lambda_allows(
    api: Api, patient: dict[str, object], kind: str
) -> None:
    answer = api("POST", "/predict/batch", LARGEST[kind](patient))

    assert answer.status == 200
    assert answer.body["predictions"]
    assert answer.size < LAMBDA_LIMIT * MARGIN


def test_no_other_answer_passes_what_lambda_allows(api: Api, patient: dict[str, object]) -> None:
    limit = params().serving.max_body_bytes
    wide = {WIDE * 9 + str(number): 1 for number in range(limit // 48)}
    explained = {"queryStringParameters": {"explain": "true"}}

    for answer in (
        *(api("GET", path) for path in GETS),
        api("POST", "/predict", patient | {"Patient_ID": WIDE * 64}, **explained),
        api("POST", "/predict", json.dumps(wide, ensure_ascii=False)),
        api("POST", "/predict", {f"{number:x}": 1 for number in range(limit // 12)}),
        api("POST", "/predict", "{" + '"' + "k" * (limit - 10)),
        api("POST", "/predict/batch", {"patients": [], "k" * 1_000_000: 1}),
        api("POST", "/predict/batch", {f"{number:x}": 1 for number in range(90_000)}),
        api("POST", "/predict", patient, headers={"Content-Type": WIDE * 10_000}),
        api("POST", "/predict", patient, queryStringParameters={"explain": WIDE * 10_000}),
        api("GET", "/" + "x" * 10_000),
    ):
        assert answer.size < LAMBDA_LIMIT * MARGIN


def test_a_form_may_offer_every_combination_there_is(
    dropdown_api: Api,
    candidate: Candidate,
    promote: Callable[[Candidate], Champion],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    promote(candidate)
    follower = dropdown_api.module.follower
    values = follower.current()
    everything = tuple(
        Combination(Condition=condition, Drug_Name=drug, Dosage_mg=dosage, Side_Effects=effect)
        for condition in values.conditions
        for drug in values.drugs
        for dosage in values.dosages
        for effect in values.side_effects
    )
    most = values.model_copy(update={"valid_combinations": everything})
    monkeypatch.setattr(follower, "current", lambda: most)

    answer = dropdown_api("GET", "/dropdown-values")

    assert len(answer.body["valid_combinations"]) == len(everything) == 11_250
    assert answer.size < LAMBDA_LIMIT * MARGIN


# ── Whatever is sent ────────────────────────────────────────────────────────────────────────────

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
fields = st.sampled_from([*params().columns, "patients"]) | st.text(string.printable, max_size=8)
rows = st.dictionaries(fields, json_values, max_size=9)


def cased(word: str) -> st.SearchStrategy[str]:
    """A word in any case."""
    either = st.lists(st.booleans(), min_size=len(word), max_size=len(word))
    return either.map(
        lambda ups: "".join(
            letter.upper() if up else letter.lower() for letter, up in zip(word, ups, strict=True)
        )
    )


blanks = st.sampled_from(["", " ", "\t"])
parameters = st.sampled_from(
    [
        "",
        "; charset=utf-8",
        ';CHARSET="UTF8"',
        "; charset=utf-16",
        "; charset=",
        "; boundary=x",
        ";",
    ]
)
media_types = st.one_of(
    st.builds("{}{}{}{}".format, blanks, cased("application/json"), parameters, blanks),
    st.builds("{}{}".format, cased("multipart/form-data"), parameters),
    st.sampled_from(
        [
            "",
            "application/problem+json",
            "application/x-www-form-urlencoded",
            "application/json, application/json",
            "*/*",
        ]
    ),
    st.text(max_size=20),
)
encodings = st.sampled_from(["gzip", "identity", "Identity, br", ""]) | st.text(max_size=8)
header_values = {"content-type": media_types, "content-encoding": encodings, "origin": st.text()}


@st.composite
def headers(draw: st.DrawFn) -> dict[str, Any]:
    """Headers as API Gateway hands them over, and as it never does."""
    one, many = dict[str, str | None](), dict[str, list[str]]()
    for name, values in header_values.items():
        if draw(st.integers(0, 3)) == 0:
            continue
        sent = draw(st.lists(values, min_size=1, max_size=2))
        where = draw(st.sampled_from(["both", "one", "many"]))
        if where != "many":
            one[draw(cased(name))] = sent[-1]
        if where != "one":
            many[draw(cased(name))] = sent
    return {"headers": one or None, "multiValueHeaders": many or None}


@st.composite
def bodies(draw: st.DrawFn, patient: dict[str, object]) -> dict[str, Any]:
    """Bodies that are right, nearly right, JSON, text, and bytes; in base64 or not, or said to."""
    right = st.sampled_from([patient, {"patients": [patient]}, [patient], {"patients": patient}])
    nearly = rows.map(lambda changes: patient | changes)
    value = (
        right | nearly | st.builds(lambda some: {"patients": some}, st.lists(rows)) | json_values
    )
    text = value.map(json.dumps) | st.text(max_size=50) | st.just('{"Age": 1, "Age": 2}')
    raw = draw(text.map(lambda one: one.encode("utf-8", "surrogatepass")) | st.binary(max_size=50))
    raw = draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b" "])) + raw
    if draw(st.booleans()):
        return {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
    return {"body": raw.decode("utf-8", "replace"), "isBase64Encoded": draw(st.booleans())}


queries = st.dictionaries(
    st.sampled_from(["explain", "Explain", "_"]),
    st.lists(
        st.sampled_from(["true", "False", "1", "", "maybe"]) | st.text(max_size=5), min_size=1
    ),
    max_size=2,
)


@pytest.mark.parametrize("path", POSTS)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_is_sent_is_answered_as_documented(
    api: Api, patient: dict[str, object], path: str, data: st.DataObject
) -> None:
    sent = data.draw(headers()) | data.draw(bodies(patient))
    query = data.draw(queries)

    answer = api(
        "POST",
        path,
        **sent,
        queryStringParameters={name: values[-1] for name, values in query.items()} or None,
        multiValueQueryStringParameters=query or None,
    )

    assert answer.status in {200, 400, 415, 422}
    openapi.check("POST", path, answer.status, answer.headers["Content-Type"], answer.body)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("depth", [10, 500, 990, 1500, 5000, 9000, 30_000])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_no_depth_is_ever_a_fault(
    api: Api, patient: dict[str, object], path: str, depth: int, opens: str, closes: str
) -> None:
    nested = opens * depth + "1" + closes * depth
    text = json.dumps(body_for(path, patient)).replace("56", nested)

    answer = api("POST", path, text)

    assert answer.status in {200, 400, 413, 422}
    openapi.check("POST", path, answer.status, answer.headers["Content-Type"], answer.body)


@pytest.mark.parametrize("path", ["/model", "/health"])
def test_what_is_answered_to_a_get_is_documented_too(api: Api, path: str) -> None:
    answer = api("GET", path)

    openapi.check("GET", path, answer.status, answer.headers["Content-Type"], answer.body)


def test_without_a_model_answers_are_as_documented(
    predict_api: Api, dropdown_api: Api, patient: dict[str, object]
) -> None:
    def check(answer: Answer, method: str, path: str) -> None:
        assert answer.status == 503
        openapi.check(method, path, 503, answer.headers["Content-Type"], answer.body)

    check(predict_api("GET", "/health"), "GET", "/health")
    check(predict_api("GET", "/model"), "GET", "/model")
    check(predict_api("POST", "/predict", patient), "POST", "/predict")
    check(predict_api("POST", "/predict/batch", {"patients": [patient]}), "POST", "/predict/batch")
    check(dropdown_api("GET", "/dropdown-values"), "GET", "/dropdown-values")


# ── What is documented ──────────────────────────────────────────────────────────────────────────


def test_every_route_documents_what_the_gateway_answers() -> None:
    for operations in openapi.DOCUMENT["paths"].values():
        for operation in operations.values():
            assert {"403", "429", "502", "504"} <= set(operation["responses"])


def test_nothing_is_documented_that_is_never_answered() -> None:
    text = json.dumps(openapi.DOCUMENT)

    for name in openapi.DOCUMENT["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name
        assert "ValidationError" not in name
    for path, operations in openapi.DOCUMENT["paths"].items():
        for method, operation in operations.items():
            assert ("422" in operation["responses"]) == (method == "post" or "{" in path), path


def test_an_explained_prediction_has_a_schema_of_its_own() -> None:
    schemas = openapi.DOCUMENT["components"]["schemas"]

    extra = {"base_value", "contributions"}
    assert extra <= set(schemas["ExplainedPrediction"]["required"])
    assert extra.isdisjoint(schemas["Prediction"]["properties"])


@pytest.mark.parametrize("field", ["Age", "Treatment_Duration_days"])
def test_a_whole_number_is_documented_with_its_range(field: str) -> None:
    schema = openapi.DOCUMENT["components"]["schemas"]["Patient"]["properties"][field]

    lowest, highest = params().columns[field].widget["range"]
    assert schema["type"] == "integer"
    assert (schema["minimum"], schema["maximum"]) == (lowest, highest)
