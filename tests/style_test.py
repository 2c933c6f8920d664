#!/usr/bin/env python3
"""The house rules that no compiler checks: lengths, the arrows between folders, which file may
include which library, source lists against the disk, references in pages and comments that must
exist. Each rule prints every place where it is broken. Run: python3 tests/style_test.py"""

import ast
import fnmatch
import os
import re
import unicodedata
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX, FILE_LINES_MAX, COLUMNS_MAX = 60, 400, 100

# A folder includes itself and what its line names.
ARROWS = {
    "base": [],
    "features": ["base"],
    "models": ["base", "features"],
    "ranking": ["base", "features", "models"],
    "streaming": ["base", "features"],
    "configs": ["base", "features", "models", "ranking", "streaming"],
    "serving": ["base", "features", "models", "ranking", "streaming", "configs"],
}

# Library -> how its inclusion looks, and the files that may do it. Its exceptions end there.
LIBRARIES = {
    "RocksDB": (r"<rocksdb/", ["streaming/store.cc"]),
    "simdjson": (r"<simdjson", ["streaming/json.cc"]),
    "protobuf": (r'<google/|"(streaming|serving)/\w+\.pb\.h"',
                 ["streaming/codec*.cc", "serving/rank_proto.cc"]),
    "yaml-cpp": (r"<yaml-cpp/", ["configs/yaml.cc"]),
    "FAISS": (r"<faiss/|<omp\.h>", ["ranking/vector_index.cc", "ranking/wide_index.cc",
                                           "bench/retrieval_bench.cc"]),
    "Boost": (r"<boost/", ["serving/http_server.cc", "serving/http_client.cc",
                           "serving/http_connection.h", "serving/http_connection.cc",
                           "serving/request_reader.cc", "serving/tls.cc", "serving/tls_stream.h",
                           "models/lift.cc"]),
    "libsodium": (r"<sodium", ["features/digest.cc"]),
    "prometheus-cpp": (r"<prometheus/", ["serving/metrics.cc"]),
    "RE2": (r"<re2/", ["features/condition.cc"]),
    "Eigen": (r"<Eigen/", ["models/*.cc"]),
    "librdkafka": (r"<librdkafka/", ["streaming/kafka_client.h"]),
}
# Headers with a library in them stay among the files that know the library.
PRIVATE_HEADERS = {"serving/http_connection.h": LIBRARIES["Boost"][1],
                   "serving/tls_stream.h": LIBRARIES["Boost"][1],
                   "streaming/kafka_client.h": ["streaming/kafka_*"]}
# C headers of the system; C++'s own have neither a dot nor a slash.
SYSTEM_HEADERS = r"<(sys/\w+|netinet/\w+|arpa/inet|unistd|fcntl|signal|poll|\w*intrin)\.h>"

# What the core must not do, and who may nevertheless.
FORBIDDEN = {
    r"\bsystem_clock\b": ("reads a clock: time is an argument", ["base/clock.h"]),
    r"\brandom_device\b|\brandombytes_\w+|\bs?rand\s*\(":
        ("reads a random device: seeds are arguments",
         ["features/digest.cc", "serving/*"]),
    r"\bthrow\b": ("throws: expected failures are a Result, impossible ones a CHECK",
                   ["configs/yaml.cc"]),  # yaml-cpp's event handler has no other way to stop
}

SKIPPED_FOLDERS = {"build", "node_modules", "dist", "var", "__pycache__"}
CODE = (".h", ".cc")
TEXT = CODE + (".py", ".sh", ".mjs", ".js", ".ts", ".proto", ".css", ".html", ".md", ".txt",
               ".yaml", ".json", ".inc", ".supp", "Makefile", ".clang-tidy", ".clang-format")
MEASURED = CODE + (".py", ".sh", ".mjs", ".js", ".ts", ".proto", "CMakeLists.txt")


def walk():
    for folder, names, files in os.walk(ROOT):
        names[:] = sorted(n for n in names if n not in SKIPPED_FOLDERS and not n.startswith(".git"))
        for name in sorted(files):
            yield (Path(folder) / name).relative_to(ROOT).as_posix()


PATHS = list(walk())


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def files(*suffixes, under=""):
    return [path for path in PATHS if path.endswith(suffixes) and path.startswith(under)]


def house_files(*suffixes):
    return [path for path in files(*suffixes) if path.split("/")[0] in ARROWS]


def matches_any(path, patterns):
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def width(line):
    """Columns as clang-format counts them: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


# ---- A reader of C++ that is good enough to find functions ----

TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<text>(?<!\w)(?:u8|[uUL])?R"(?P<end>[^()\s\\]{0,16})\(.*?\)(?P=end)"'
    r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\')'
    r'|(?P<directive>^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)', re.S | re.M)


def spaces(text):
    return re.sub(r"[^\n]", " ", text)


def code_of(text):
    """C++ without comments, texts and directives: spaces stand for them, lines stay lines."""
    return TOKEN.sub(lambda match: spaces(match.group(0)), text)


def comments_of(text):
    """(line, comment) of each comment."""
    return [(line_of(text, match.start()), match.group("comment"))
            for match in TOKEN.finditer(text) if match.group("comment")]


SCOPE = re.compile(r"\b(namespace|extern|class|struct|union|enum)\b")
AFTER_PARAMETERS = re.compile(
    r"\)\s*(?:(?:const|noexcept|override|final|mutable|try|&&?)\s*|->[^;{}=]*|requires[^;{}]*)*$")
INITIALIZERS = re.compile(r"\)\s*(?:noexcept(?:\([^)]*\))?\s*)?:(?!:)")


def opens_function(head):
    """Whether the brace after `head` (all since the last ; { or }) opens a function's body."""
    if INITIALIZERS.search(head):  # C::C() : a_{1}, b_(2) {
        return re.search(r"[)}]\s*$", head) is not None
    if SCOPE.search(re.sub(r"<[^<>]*>", "", head)) and not head.rstrip().endswith(")"):
        return False
    return AFTER_PARAMETERS.search(head) is not None


def functions_of(code):
    """(first line, last line, name, body) of each function; lambdas belong to their function.
    `code` is what code_of() gives."""
    found, stack, head_start, depth = [], [], 0, 0
    for match in re.finditer(r"[{};()]", code):
        char, at = match.group(), match.start()
        if char in "()":
            depth += 1 if char == "(" else -1
            continue
        head = code[head_start:at]
        if char == "{":
            inside = any(kind != "scope" for kind, *_ in stack)
            if not inside and opens_function(head):
                start = head_start + len(head) - len(head.lstrip())
                stack.append(("function", start, head, at))
            elif not inside and not head.rstrip().endswith("=") and SCOPE.search(head):
                stack.append(("scope", None, None, at))
            else:
                stack.append(("braces", None, None, at))
                continue  # an initializer: the head goes on behind it
        elif char == "}":
            if not stack:
                continue
            kind, start, opening, body = stack.pop()
            if kind == "braces":
                continue
            if kind == "function":
                plain = re.sub(r"\brequires\s*\((?:[^()]|\([^()]*\))*\)", "", opening)
                name = re.search(r"(~?[\w:]+|operator\S+)\s*\(", plain)
                found.append((line_of(code, start), line_of(code, at),
                              name.group(1) if name else opening.strip(), code[body:at + 1]))
        elif depth > 0 or any(kind == "braces" for kind, *_ in stack):
            continue
        head_start = at + 1
    return found


def python_functions_of(text):
    return [(node.lineno, node.end_lineno, node.name) for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


# ---- The rules ----


class Rules(unittest.TestCase):
    def assert_none(self, places):
        if places:
            self.fail(f"{len(places)} place(s):\n  " + "\n  ".join(places))


class LengthTest(Rules):
    def test_functions_are_at_most_60_lines(self):
        self.assert_none([
            f"{path}:{first}: {name}() has {last - first + 1} lines"
            for path in files(".h", ".cc", ".py")
            for first, last, name, *_ in (python_functions_of(read(path)) if path.endswith(".py")
                                          else functions_of(code_of(read(path))))
            if last - first + 1 > FUNCTION_LINES_MAX])

    def test_files_are_at_most_400_lines(self):
        self.assert_none([
            f"{path}: {lines} lines" for path in files(*MEASURED) if not path.startswith("tests/")
            for lines in [read(path).count("\n")] if lines > FILE_LINES_MAX])

    def test_lines_are_at_most_100_columns(self):
        self.assert_none([
            f"{path}:{number}: {width(line)} columns" for path in files(*MEASURED)
            for number, line in enumerate(read(path).split("\n"), 1) if width(line) > COLUMNS_MAX])


class IncludeTest(Rules):
    INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(<[^>]+>|"[^"]+")', re.M)

    def includes(self, paths):
        for path in paths:
            text = read(path)
            for match in self.INCLUDE.finditer(text):
                yield path, line_of(text, match.start()), match.group(1)

    def test_folders_include_only_what_stands_left_of_them(self):
        places = []
        for path, line, target in self.includes(house_files(*CODE)):
            folder, included = path.split("/")[0], target[1:].split("/")[0]
            known = included in ARROWS or included in ("tests", "bench")
            if target[0] == '"' and known and included not in [folder, *ARROWS[folder]]:
                places.append(f"{path}:{line}: {folder}/ must not include {target}")
        self.assert_none(places)

    def test_libraries_link_only_what_stands_left_of_them(self):
        places = []
        for folder, left in ARROWS.items():
            path = f"{folder}/CMakeLists.txt"
            for linked in re.findall(r"\bshanhuo_(\w+)", read(path) if path in PATHS else ""):
                if linked in ARROWS and linked not in [folder, *left]:
                    places.append(f"{path}: shanhuo_{folder} must not link shanhuo_{linked}")
        self.assert_none(places)

    def test_quoted_includes_name_a_file_from_the_root(self):
        self.assert_none([
            f"{path}:{line}: there is no {target}"
            for path, line, target in self.includes(files(*CODE))
            if target[0] == '"' and not (ROOT / target[1:-1]).exists()
            and not (target.endswith('.pb.h"') and (ROOT / (target[1:-6] + ".proto")).exists())])

    def test_each_library_is_included_by_its_own_files(self):
        places = []
        for path, line, target in self.includes(house_files(*CODE)):
            library = next((name for name, (pattern, _) in LIBRARIES.items()
                            if re.match(pattern, target)), None)
            if library and not matches_any(path, LIBRARIES[library][1]):
                places.append(f"{path}:{line}: {library} belongs to {LIBRARIES[library][1]}")
            elif target.strip('"') in PRIVATE_HEADERS:
                if not matches_any(path, PRIVATE_HEADERS[target.strip('"')]):
                    places.append(f"{path}:{line}: {target} brings a library along")
            elif target[0] == "<" and not library and re.search(r"[./]", target):
                if not re.fullmatch(SYSTEM_HEADERS, target):
                    places.append(f"{path}:{line}: {target} is of no library that this test knows")
        self.assert_none(places)


class CodeTest(Rules):
    def test_no_clock_no_random_device_no_exceptions_of_our_own(self):
        places = []
        for path in house_files(*CODE):
            code = code_of(read(path))
            for pattern, (why, allowed) in FORBIDDEN.items():
                if not matches_any(path, allowed):
                    places += [f"{path}:{line_of(code, match.start())}: {why}"
                               for match in re.finditer(pattern, code)]
        self.assert_none(places)

    def test_nothing_is_left_to_do(self):
        marks = re.compile(r"\b(%s)\b" % "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]))
        self.assert_none([
            f"{path}:{line_of(text, match.start())}: {match.group()}" for path in files(*TEXT)
            if not path.endswith(("package-lock.json", "naughty_strings.json"))
            for text in [read(path)] for match in marks.finditer(text)])

    def test_suppressed_warnings_are_named(self):
        self.assert_none([
            f"{path}:{line}: {comment.strip()}" for path in files(*CODE)
            for line, comment in comments_of(read(path))
            if re.search(r"NOLINT(NEXTLINE|BEGIN|END)?(?!\w|\()", comment)])

    def test_headers_include_themselves_once_and_open_no_namespace(self):
        places = []
        for path in files(".h"):
            code = TOKEN.sub(lambda m: spaces(m.group()) if m.group("comment") or m.group("text")
                             else m.group(), read(path))
            if len(re.findall(r"^#pragma once$", code, re.M)) != 1:
                places.append(f"{path}: no #pragma once")
            places += [f"{path}:{line_of(code, match.start())}: using namespace in a header"
                       for match in re.finditer(r"\busing\s+namespace\b", code)]
        self.assert_none(places)

    def test_headers_begin_with_what_they_are(self):
        self.assert_none([f"{path}: begins without a comment" for path in files(".h")
                          if not read(path).startswith(("// ", "/* "))])


class SourceListTest(Rules):
    def listed(self, path):
        return re.sub(r"#[^\n]*", "", read(path)) if path in PATHS else ""

    def test_every_source_is_in_its_folders_list(self):
        places = []
        for path in files(".cc"):
            folder, name = path.rsplit("/", 1)
            stem = name[:-len(".cc")]
            wanted = rf"(?<![\w/.]){re.escape(name)}(?![\w.])"
            if folder == "tests" or folder == "bench":
                wanted += rf"|\bshanhuo_\w+\(\s*{stem}\b"
            if folder.startswith("tests/"):
                wanted += rf"|\b{stem}\b"
            if not re.search(wanted, self.listed(f"{folder}/CMakeLists.txt")):
                places.append(f"{path} is not in {folder}/CMakeLists.txt")
        self.assert_none(places)

    def test_every_python_test_is_listed(self):
        listed = self.listed("tests/CMakeLists.txt")
        self.assert_none([
            f"{path} is not in tests/CMakeLists.txt" for path in files("_test.py", under="tests/")
            if path != "tests/style_test.py"  # a stage of scripts/test.sh
            and not re.search(rf"\bshanhuo_python_test\({Path(path).stem}\b", listed)])

    def test_every_listed_source_exists(self):
        places = []
        for path in files("CMakeLists.txt"):
            folder = path[:-len("CMakeLists.txt")]
            text = self.listed(path)
            names = re.findall(r"(?<![\w/.${}-])([\w/]+\.cc)(?![\w.])", text)
            names += [f"{name}.cc" for name in re.findall(r"\bshanhuo_(?:test|bench)\((\w+)", text)
                      if name != "name"]
            names += [f"{name}.py" for name in re.findall(r"\bshanhuo_python_test\((\w+)", text)
                      if name != "name"]
            made = re.findall(r"\bconfigure_file\(\S+\s+([\w/.]+)", text)
            places += [f"{path}: there is no {folder}{name}" for name in names
                       if not {f"{folder}{name}", name} & set(PATHS) and name not in made]
        self.assert_none(places)

    def test_lists_are_explicit(self):
        self.assert_none([f"{path}: GLOB" for path in files("CMakeLists.txt")
                          if re.search(r"\bGLOB(_RECURSE)?\b", self.listed(path))])


class ReferenceTest(Rules):
    TOPS = "|".join([*ARROWS, "web", "bench", "tests", "docs", "scripts"])
    REFERENCE = re.compile(
        rf"(?<![\w/.*-])((?:{TOPS})/[\w./*-]*\.(?:h|cc|proto|md|py|sh|mjs|js|inc|tsv|json|yaml))\b")
    MADE = ["web/dist/*", "configs/experiments/*", "*/*.pb.h"]  # exist only after a build or a run

    def missing(self, path, text, first_line=1):
        for match in self.REFERENCE.finditer(text):
            target = match.group(1)
            if not matches_any(target, self.MADE) and not fnmatch.filter(PATHS, target):
                yield f"{path}:{first_line + line_of(text, match.start()) - 1}: no {target}"

    def test_links_of_pages_exist(self):
        places = []
        for path in files(".md"):
            text = re.sub(r"```.*?```", lambda match: spaces(match.group()), read(path), flags=re.S)
            for match in re.finditer(r"\]\(([^)\s]+)\)", text):
                target = match.group(1).split("#")[0]
                if target and not re.match(r"[a-z]+:", target):
                    if not ((ROOT / path).parent / target).exists():
                        places.append(f"{path}:{line_of(text, match.start())}: no {target}")
        self.assert_none(places)

    def test_files_that_pages_name_exist(self):
        self.assert_none([place for path in files(".md")
                          for place in self.missing(path, read(path))])

    def test_files_that_comments_name_exist(self):
        self.assert_none([place for path in files(*CODE) for line, comment in
                          comments_of(read(path)) for place in self.missing(path, comment, line)])

    def test_make_targets_that_pages_name_exist(self):
        targets = re.findall(r"^(\w+):", read("Makefile"), re.M)
        self.assert_none([
            f"{path}:{line_of(read(path), match.start())}: no target for {match.group()}"
            for path in files(".md") for match in re.finditer(r"`make (\w+)", read(path))
            if match.group(1) not in targets])


class ExpectationTest(Rules):
    EXPECTS = re.compile(r"\b(EXPECT_\w+|ASSERT_\w+|ADD_FAILURE|FAIL)\b")

    def test_every_test_expects_something(self):
        """Itself, or through a helper of its file or of a header in tests/."""
        shared = [function for path in files(".h", under="tests/")
                  for function in functions_of(code_of(read(path)))]
        places = []
        for path in files("_test.cc", under="tests/"):
            functions = functions_of(code_of(read(path)))
            helpers = [f for f in functions + shared if not re.match(r"TEST(_F|_P)?$", f[2])]
            names = {name.split("::")[-1] for *_, name, body in helpers
                     if self.EXPECTS.search(body)}
            for _ in range(3):  # helpers of helpers
                names |= {name.split("::")[-1] for *_, name, body in helpers
                          if names & set(re.findall(r"\w+", body))}
            tests = [f for f in functions if re.match(r"TEST(_F|_P)?$", f[2])]
            if not tests:
                places.append(f"{path}: no test in it")
            places += [f"{path}:{first}: expects nothing" for first, _, _, body in tests
                       if not self.EXPECTS.search(body)
                       and not names & set(re.findall(r"\w+", body))]
        self.assert_none(places)


class ScannerTest(unittest.TestCase):
    """The finder of functions, on what it has to get right."""

    def names(self, text):
        return [(name, last - first + 1) for first, last, name, _ in functions_of(code_of(text))]

    def test_finds_functions_methods_and_operators(self):
        text = ("namespace a {\nstruct S {\n  int f() const { return 1; }\n  int x{2};\n};\n"
                "int S::g(int a,\n        int b) {\n  if (a) {\n    b++;\n  }\n  return 0;\n}\n}")
        self.assertEqual(self.names(text), [("f", 1), ("S::g", 7)])

    def test_keeps_initializers_and_lambdas_inside_their_function(self):
        text = ("C::C(int a) : a_{a}, b_(2) {\n  run([&] {\n    go();\n  });\n}\n"
                "const std::map<int, int> kTable = {\n  {1, 2},\n};\n"
                "auto h(T x) -> std::vector<int> {\n  return {1};\n}\n")
        self.assertEqual(self.names(text), [("C::C", 5), ("h", 3)])

    def test_reads_texts_comments_directives_and_digit_separators(self):
        text = ('int f() {  // }\n  g("}", \'}\', R"x(})x", 1\'000\'000);\n#define X }\n'
                "  /* } */\n}\nint h() {}\n")
        self.assertEqual(self.names(text), [("f", 5), ("h", 1)])

    def test_templates_and_requires_clauses(self):
        text = "template <class T>\nrequires(sizeof(T) > 1)\nvoid f(T t) noexcept {\n  t();\n}\n"
        self.assertEqual(self.names(text), [("f", 5)])

    def test_wide_characters_take_two_columns(self):
        self.assertEqual(width("山货 a"), 6)


if __name__ == "__main__":
    unittest.main()
