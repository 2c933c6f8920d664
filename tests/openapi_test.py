#!/usr/bin/env python3
"""serving/openapi.json against the code: the same routes with the same roles as the table of
serving/http_api.cc, references that resolve, examples that their schemas allow, and, where the
engine is built (SHANHUO_BIN), an engine that answers every example as the document says. A member
that the document does not name counts as wrong here, in examples and in answers.
Run: python3 tests/openapi_test.py"""

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from urllib.parse import quote, urlencode

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "serving" / "openapi.json").read_text(encoding="utf-8")
DOCUMENT = json.loads(TEXT)
BYTES_MAX = 200_000  # an answer of reasonable size

# Which roles may use a class of routes (contract 2.10; tests/serving_access_test.cc holds the code
# to the same table).
ROLES = {"kOpen": [], "kSelf": ["feed", "ingest", "creator", "operator", "admin"],
         "kFeed": ["feed", "admin"], "kIngest": ["ingest", "admin"],
         "kExposure": ["creator", "admin"], "kOperate": ["operator", "admin"],
         "kAdmin": ["admin"]}


def routes():
    """(method, path as OpenAPI writes it) -> class, of the code's table."""
    code = (ROOT / "serving" / "http_api.cc").read_text(encoding="utf-8")
    found = re.findall(r'Route\{"(\w+)", "([^"]+)", (k\w+),', code)
    return {(method.lower(), path.replace("/*", "/{name}")): access
            for method, path, access in found}


def operations():
    """(method, path, operation) in the order of the document."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def resolve(value):
    while isinstance(value, dict) and "$ref" in value:
        at = DOCUMENT
        for step in value["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        value = at
    return value


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for element in value:
            yield from references(element)


KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
         "number": (int, float)}


def wrong_kind(value, kind):
    return not isinstance(value, KINDS[kind]) or (
        isinstance(value, bool) and kind in ("integer", "number"))


def check_scalar(schema, value, at):
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if isinstance(value, str):
        size = len(value.encode())
        if not schema.get("minLength", 0) <= size <= schema.get("maxLength", size):
            yield f"{at}: {size} bytes"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{at}: {value!r} does not match {schema['pattern']}"
    elif isinstance(value, (int, float)):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{at}: {value} is out of range"


def check_object(schema, value, at):
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at}: {name} is missing"
    known = schema.get("properties", {})
    for name, member in value.items():
        if name in known:
            yield from check(known[name], member, f"{at}/{name}")
        elif known and schema.get("additionalProperties") is not True:
            yield f"{at}/{name}: the document does not name it"


def check(schema, value, at=""):
    """What is wrong with `value`, for the words of JSON Schema that the document uses."""
    schema = resolve(schema)
    if "anyOf" in schema:
        tries = [list(check(each, value, at)) for each in schema["anyOf"]]
        yield from [] if [] in tries else min(tries, key=len)
        return
    if "type" in schema and wrong_kind(value, schema["type"]):
        yield f"{at}: is no {schema['type']}"
        return
    yield from check_scalar(schema, value, at)
    if isinstance(value, dict):
        yield from check_object(schema, value, at)
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: {len(value)} elements"
        for i, element in enumerate(value):
            yield from check(schema.get("items", {}), element, f"{at}/{i}")


def examples(media):
    """The examples of a media type object, of a parameter too."""
    if "example" in media:
        yield media["example"]
    for example in media.get("examples", {}).values():
        yield example["value"]


def places_of_examples(operation):
    """Everything in an operation that may carry examples."""
    yield from operation.get("parameters", [])
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for answer in operation["responses"].values():
        yield from resolve(answer).get("content", {}).values()


class DocumentTest(unittest.TestCase):
    def test_fits_into_the_binary(self):
        self.assertLess(len(TEXT.encode()), BYTES_MAX)
        self.assertNotIn(')openapi"', TEXT)

    def test_has_every_route_and_no_other(self):
        self.assertGreater(len(routes()), 20)
        self.assertEqual({(method, path) for method, path, _ in operations()}, set(routes()))

    def test_asks_for_the_roles_that_the_code_asks_for(self):
        for method, path, operation in operations():
            wanted = [{"token": [role]} for role in ROLES[routes()[method, path]]]
            self.assertEqual(operation["security"], wanted, f"{method} {path}")

    def test_names_the_parameters_of_each_path(self):
        for method, path, operation in operations():
            given = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
            self.assertEqual(given, re.findall(r"\{(\w+)\}", path), f"{method} {path}")

    def test_references_resolve_and_every_component_is_used(self):
        used = set(references(DOCUMENT))
        for reference in used:
            self.assertIsInstance(resolve({"$ref": reference}), dict, reference)
        for kind in ("schemas", "responses", "headers"):
            for name in DOCUMENT["components"][kind]:
                self.assertIn(f"#/components/{kind}/{name}", used)

    def test_each_operation_has_a_name_a_refusal_and_an_example(self):
        names = [operation["operationId"] for *_, operation in operations()]
        self.assertEqual(len(names), len(set(names)))
        for method, path, operation in operations():
            answers = operation["responses"]
            where = f"{method} {path}"
            self.assertTrue(any(status.startswith("4") for status in answers), where)
            self.assertTrue(any(status.startswith("2") for status in answers), where)
            media = [m for m in places_of_examples(operation) if list(examples(m))]
            has_nothing_to_show = list(answers)[0] == "204" and "parameters" not in operation
            self.assertTrue(media or has_nothing_to_show, where)

    def test_examples_are_what_their_schemas_allow(self):
        answers = DOCUMENT["components"]["responses"].values()
        media = [m for *_, operation in operations() for m in places_of_examples(operation)]
        media += [m for answer in answers for m in answer["content"].values()]
        wrong = [f"{error} in {json.dumps(example, ensure_ascii=False)[:80]}"
                 for each in media for example in examples(each)
                 for error in check(each["schema"], example)]
        self.assertEqual(wrong, [])

    def test_the_schema_check_finds_what_is_wrong(self):
        schema = {"$ref": "#/components/schemas/RankRequest"}
        good = {"request_id": "r", "user_id": "u", "surface": "feed", "count": 5, "candidates": []}
        self.assertEqual(list(check(schema, good)), [])
        for change in ({"count": 201}, {"count": "5"}, {"surface": "wall"}, {"request_id": ""},
                       {"user_id": "a" * 129}, {"page": 1}, {"candidates": [{"item_id": "a"}]},
                       {"context": {"place": {"lat": 91, "lon": 0}}}):
            self.assertTrue(list(check(schema, {**good, **change})), change)


class EngineTest(unittest.TestCase):
    """The document's own examples, sent to an engine in the order of the document."""

    @classmethod
    def setUpClass(cls):
        binary = os.environ.get("SHANHUO_BIN", str(ROOT / "build" / "release" / "shanhuo"))
        if not os.access(binary, os.X_OK):
            raise unittest.SkipTest(f"{binary} is not built")
        cls.folder = tempfile.TemporaryDirectory()
        for name in ("programs", "experiments", "metrics", "giving"):
            shutil.copytree(ROOT / "configs" / name, Path(cls.folder.name) / name)
        config = Path(cls.folder.name) / "engine.yaml"
        # Each entry of the ledger is sealed at once, so that there is something to prove.
        config.write_text(f"data_dir: {cls.folder.name}/data\n"
                          "giving: {block_entries_max: 1}\n"
                          "experiments:\n  dry_run_requests_min: 1\n")
        cls.engine = subprocess.Popen(
            [binary, "serve", "--config", str(config), "--listen", "127.0.0.1:0"], cwd=ROOT,
            stdout=subprocess.PIPE, text=True)
        ready = re.match(r"ready: http://(.+)", cls.engine.stdout.readline())
        assert ready, "the engine did not start"
        cls.address = ready.group(1)
        deed = {"event_id": "deed", "type": "deed", "user_id": "u-1001", "item_id": "cause",
                "ts_ms": int(time.time() * 1000), "deed": "volunteer"}
        cls.ask(cls, "post", "/v1/events", json.dumps({"events": [deed]}), "application/json")

    @classmethod
    def tearDownClass(cls):
        cls.engine.terminate()
        cls.engine.wait(timeout=30)
        cls.engine.stdout.close()
        cls.folder.cleanup()

    def ask(self, method, target, body=None, content_type=None):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        headers = {"content-type": content_type} if content_type else {}
        connection.request(method.upper(), target, body, headers)
        answer = connection.getresponse()
        status, headers, data = answer.status, answer.headers, answer.read()
        connection.close()
        return status, headers, data

    def target_of(self, path, operation):
        query = {}
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                path = path.replace("{%s}" % parameter["name"], quote(parameter["example"], ""))
            else:
                query[parameter["name"]] = parameter["example"]
        return path + ("?" + urlencode(query) if query else "")

    def bodies_of(self, operation):
        """(content type, bytes) of each request example; (None, None) where there is no body."""
        content = operation.get("requestBody", {}).get("content", {})
        for content_type, media in content.items():
            for example in examples(media):
                if operation["operationId"] == "postBackup":
                    example = {"directory": self.folder.name + "/copy"}
                if not isinstance(example, str):
                    example = json.dumps(example)
                yield content_type, example.encode()
        if not content:
            yield None, None

    def check_answer(self, where, operation, status, headers, data):
        self.assertIn(str(status), operation["responses"], f"{where}: {data[:300]}")
        self.assertTrue(headers["x-request-id"], where)
        content = resolve(operation["responses"][str(status)]).get("content")
        if content is None:
            self.assertEqual(data, b"", where)
            return
        kind = headers["content-type"].split(";")[0]
        self.assertIn(kind, content, where)
        if kind.endswith("json") and operation["operationId"] != "openapi":
            wrong = list(check(content[kind]["schema"], json.loads(data)))
            self.assertEqual(wrong, [], where)

    def test_every_example_is_answered_as_the_document_says(self):
        allowed_to_miss = ("home", "creatorPage", "operatorPage", "staticFile")  # without web pages
        for method, path, operation in operations():
            for content_type, body in self.bodies_of(operation):
                where = f"{method} {path} {content_type or ''}"
                deadline = time.monotonic() + 10
                while True:  # events and indexes become visible in their own time
                    status, headers, data = self.ask(method, self.target_of(path, operation), body,
                                                     content_type)
                    if status in (404, 503) and time.monotonic() < deadline \
                            and operation["operationId"] not in allowed_to_miss:
                        time.sleep(0.05)
                        continue
                    break
                self.check_answer(where, operation, status, headers, data)
                if operation["operationId"] not in allowed_to_miss:
                    self.assertLess(status, 300, f"{where}: {data[:300]}")

    def test_the_engine_shows_this_document(self):
        status, _, data = self.ask("get", "/openapi.json")
        self.assertEqual((status, data.decode()), (200, TEXT))

    def test_csv_is_given_to_who_accepts_it(self):
        creator = {"creators": [{"creator_id": "csv", "name": "c", "groups": []}]}
        self.ask("put", "/v1/creators", json.dumps(creator), "application/json")
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request("GET", "/v1/creators/csv/exposure", headers={"accept": "text/csv"})
        answer = connection.getresponse()
        self.assertEqual(answer.headers["content-type"], "text/csv; charset=utf-8")
        self.assertTrue(answer.read().startswith(b"section,key,ts_ms,served,"))
        connection.close()

    def test_wrong_fields_are_refused_as_problems(self):
        status, headers, data = self.ask("post", "/v1/rank", b'{"surface": 7, "count": 0}',
                                         "application/json")
        self.assertEqual(status, 422)
        self.assertEqual(headers["content-type"], "application/problem+json")
        problem = json.loads(data)
        self.assertEqual(list(check({"$ref": "#/components/schemas/Problem"}, problem)), [])
        self.assertGreaterEqual({error["pointer"] for error in problem["errors"]},
                                {"/surface", "/count", "/request_id", "/user_id", "/candidates"})


if __name__ == "__main__":
    unittest.main()
