#!/usr/bin/env python3
"""POST /v1/rank as protobuf (serving/rank.proto) from outside, with protoc as the other side.
Run: SHANHUO_BIN=... python3 tests/api_rank_proto_test.py"""

import json
import re
import subprocess
import unittest

from engine_process import ROOT, EngineTest, candidates, good, program

PROTOBUF = "application/x-protobuf"


def protoc(verb, message, data):
    command = ["protoc", f"--{verb}=shanhuo.wire.{message}", "serving/rank.proto"]
    return subprocess.run(command, input=data, cwd=ROOT, check=True, capture_output=True).stdout


def encode(request):
    """A rank request, as the JSON form has it, as protobuf."""
    def text_format(fields):
        for name, value in fields.items():
            for each in value if isinstance(value, list) else [value]:
                if name == "attributes":
                    each = json.dumps(each)
                if isinstance(each, dict):
                    yield f"{name} {{ {' '.join(text_format(each))} }}"
                else:
                    yield f"{name}: {json.dumps(each, ensure_ascii=False)}"
    return protoc("encode", "RankRequest", "\n".join(text_format(request)).encode())


def decode(body):
    """A rank answer as text format."""
    return protoc("decode", "RankAnswer", body).decode()


class RankProtoTest(EngineTest):
    PROGRAMS = {"goods": program("goods")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine.put_items(good("kiwi"), good("tea"))

    def request(self, request_id, **fields):
        return {"request_id": request_id, "user_id": "viewer", "surface": "feed", "count": 5,
                "candidates": candidates("a", "b", "c"), **fields}

    def ask(self, request):
        return self.engine.ask("POST", "/v1/rank", encode(request), content_type=PROTOBUF)

    def page(self, request):
        answer = self.ask(request)
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, PROTOBUF), answer)
        return decode(answer.body)

    def test_the_page_is_the_one_that_json_gives(self):
        fields = {"explain": True, "context": {"city": "北京", "attributes": {"app": "9.1"},
                                               "place": {"lat": 28.5, "lon": 109.4}}}
        page = self.page(self.request("p1", user_id="first", **fields))
        twin = self.engine.expect(200, "POST", "/v1/rank",
                                  self.request("j1", user_id="second", **fields)).json
        self.assertEqual([item["source"] for item in twin["items"]].count("boost"), 1)
        for name in ("item_id", "source", "kind"):
            self.assertEqual(re.findall(rf'\b{name}: "(\S+)"', page),
                             re.findall(rf'"{name}": "(\S+?)"', json.dumps(twin)), name)
        self.assertEqual(len(re.findall(r"\breason \{", page)), len(twin["items"]))
        self.assertIn('programs: "goods"', page)
        self.assertIn(f'programs: "{twin["versions"]["programs"]}"', page)
        self.assertRegex(page, r'token: "\S{20,}"')

    def test_a_repeated_request_gets_the_same_bytes_also_after_a_restart(self):
        request = self.request("again", user_id="patient")
        first = self.ask(request)
        self.assertEqual(self.ask(request).body, first.body)
        self.engine.restart("stop")
        answer = self.ask(request)
        self.assertEqual((answer.status, answer.headers["content-type"], answer.body),
                         (200, PROTOBUF, first.body))

    def test_the_other_format_is_another_body(self):
        for first, second in ((encode, json.dumps), (json.dumps, encode)):
            request = self.request(f"both-{first.__name__}", user_id="switcher")
            for write, status in ((first, 200), (second, 409)):
                kind = PROTOBUF if write is encode else "application/json"
                answer = self.engine.ask("POST", "/v1/rank", write(request), content_type=kind)
                self.assertEqual(answer.status, status, answer)

    def test_what_is_wrong_is_a_problem_with_the_pointers_of_json(self):
        request = self.request("wrong", count=0, candidates=candidates("a", "a", ""),
                               surface="fed", now_ms=1, context={"attributes": []})
        self.assert_refused(self.ask(request), 422, "/count", "/surface", "/now_ms",
                            "/candidates/1/item_id", "/candidates/2/item_id")
        request["context"] = {"attributes": 3}
        self.assertIn("/context/attributes", self.ask(request).pointers)
        for body in (b"{}", b"\x0a\x05ab", b"\x0a\x01\xff"):
            self.assert_refused(
                self.engine.ask("POST", "/v1/rank", body, content_type=PROTOBUF), 400)
        self.assertNotIn("libprotobuf", self.engine.stderr())

    def test_a_room_needs_neither_viewer_nor_count(self):
        room = {"request_id": "room", "surface": "live_room",
                "room": {"room_id": "room-7", "lineup": ["a", "b"]}}
        ids = re.findall(r'item_id: "(\S+)"', self.page(room))
        self.assertEqual([item for item in ids if item in ("a", "b")], ["a", "b"])


if __name__ == "__main__":
    unittest.main()
