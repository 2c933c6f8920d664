#!/usr/bin/env python3
"""clang-tidy over the seven folders, two files at a time, as .clang-tidy says.

    scripts/tidy.py [--build build/release] [FILE...]

A file that passed is remembered in build/tidy-cache under a digest of everything that its verdict
depends on (clang-tidy's version, .clang-tidy, its compile command, its bytes and those of all our
headers that the compiler read), so a second run asks only about what changed. Needs a build: the
headers are what ninja noted. Ends with "N passed, N failed"; exit code 1 when any failed."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("base", "features", "models", "ranking", "streaming", "configs", "serving")
CACHE = ROOT / "build" / "tidy-cache"
FILE_TIMEOUT_S = 300


def commands(build):
    """Our .cc files -> (folder it runs in, compile command, object)."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in FOLDERS:
            words = entry["command"].split()
            found[path] = (entry["command"], words[words.index("-o") + 1])
    return found


def headers(build):
    """Object -> the files of ours that its compiler read, from ninja's notes."""
    notes = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    found, deps = {}, []
    for line in notes.splitlines():
        if line.startswith(" "):
            path = (build / line.strip()).resolve()
            if path.is_relative_to(ROOT):
                deps.append(path)
        elif ":" in line:
            deps = found[line.split(":")[0]] = []
    return found


def key_of(path, command, deps, common):
    digest = hashlib.sha256(common + command.encode())
    for dep in sorted({path, *deps}):
        digest.update(str(dep).encode() + b"\0" + (dep.read_bytes() if dep.exists() else b""))
    return digest.hexdigest()


def check(path, build):
    """What clang-tidy has against the file; empty when nothing."""
    try:
        # Flags that only GCC knows stand in the compile commands too.
        run = subprocess.run(["clang-tidy", "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                              "-p", build, path], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=FILE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no verdict within {FILE_TIMEOUT_S} s"
    return "" if run.returncode == 0 else (run.stdout.strip() or run.stderr.strip())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("files", nargs="*", type=Path)
    args = parser.parse_args()
    build = args.build.resolve()
    wanted = {path.resolve() for path in args.files}
    sources = {path: how for path, how in commands(build).items() if not wanted or path in wanted}
    deps = headers(build)
    version = subprocess.run(["clang-tidy", "--version"], check=True, stdout=subprocess.PIPE).stdout
    common = version + (ROOT / ".clang-tidy").read_bytes()
    CACHE.mkdir(parents=True, exist_ok=True)

    def judge(path):
        command, made = sources[path]
        stamp = CACHE / key_of(path, command, deps[made], common) if made in deps else None
        if stamp and stamp.exists():
            os.utime(stamp)
            return path, True, ""
        complaint = check(path, build)
        if not complaint and stamp:
            stamp.touch()
        return path, False, complaint

    failed = known = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, remembered, complaint in pool.map(judge, sorted(sources)):
            known += remembered
            failed += bool(complaint)
            if complaint:
                print(f"{path.relative_to(ROOT)}:\n{complaint}", flush=True)
    print(f"clang-tidy: {known} of {len(sources)} files unchanged since they passed")
    print(f"{len(sources) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
