#!/usr/bin/env python3
"""The end of `make demo`: what the day gave, program by program, and whether promises were kept.

Reads what the engine and the simulator said: PROGRAMS.json (GET /v1/programs), STATS.json (GET
/v1/stats) and SIMULATION.json (shanhuo simulate --json). A program whose id begins with
"infeasible-" cannot be met on purpose and is shown only. Exits 0 when every other one ended with
goal <= delivered <= cap and the engine accounted for every event. Standard library only."""

import argparse
import json
import sys
from pathlib import Path

INFEASIBLE = "infeasible-"
EVENT_ENDS = ("applied", "duplicate", "late", "dead")


def verdict(program_id, goal):
    """What became of one goal, and whether that is as promised."""
    if program_id.startswith(INFEASIBLE):
        return "cannot be met", True
    if goal["delivered"] < goal["target"]:
        return "SHORT", False
    if goal["cap"] > 0 and goal["delivered"] > goal["cap"]:
        return "OVER ITS CAP", False
    return "kept", True


def table(header, rows):
    """Columns as wide as their widest cell; the first and the last stand left."""
    widths = [max(len(row[c]) for row in [header, *rows]) for c in range(len(header))]
    for row in [header, *rows]:
        middle = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1])]
        print("  ".join([row[0].ljust(widths[0]), *middle, row[-1]]).rstrip())


def unit(goal):
    return "views" if goal["unit"] == "viewable" else goal["unit"] + "s"


def program_rows(programs, loss_on_pages):
    """Rows of the table, and whether all is as promised."""
    rows, kept = [], True
    for program in sorted(programs, key=lambda p: p["id"]):
        for goal in program["goals"]:
            word, as_promised = verdict(program["id"], goal)
            kept = kept and as_promised
            cap = f"{goal['cap']:,.0f}" if goal["cap"] > 0 else "-"
            loss = loss_on_pages.get(program["id"])
            rows.append([program["id"], unit(goal), f"{goal['target']:,.0f}",
                         f"{goal['delivered']:,.0f}", cap, f"{goal['pace']:.3f}",
                         f"{program['inserted']:,}",
                         "-" if not loss else f"{100 * loss:.2f} %", word])
    return rows, kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("programs", "stats", "simulation"):
        parser.add_argument(name, type=Path, metavar=name.upper() + ".json")
    files = vars(parser.parse_args())
    programs, stats, day = (json.loads(files[name].read_text(encoding="utf-8"))
                            for name in ("programs", "stats", "simulation"))

    rows, kept = program_rows(programs["programs"], day["true_loss_ratio_on_pages"])
    print()
    table(["program", "unit", "goal", "delivered", "cap", "pace", "inserted", "viewers' loss", ""],
          rows)
    print("viewers' loss: on pages that name the program, of the clicks that their organic pages"
          " would have got, whoever's items stand there; below 0 they won")

    events, rank, fresh = stats["events"], stats["rank"], stats["freshness_ms"]
    ended = sum(events[end] for end in EVENT_ENDS)
    balanced = ended == events["accepted"]
    seconds = day["seconds"]
    figures = [
        ("viewers' loss", f"{100 * day['true_loss_ratio']:.2f} % of the clicks that their organic "
                          "pages would have got"),
        ("rank, in the engine", f"p50 {rank['p50_ms']:.2f} ms, p99 {rank['p99_ms']:.2f} ms"
                                f" ({rank['requests']:,} pages)"),
        ("rank, as clients see", f"p50 {day['rank_p50_ms']:.2f} ms, "
                                 f"p99 {day['rank_p99_ms']:.2f} ms"),
        ("freshness", f"p50 {fresh['p50']:.0f} ms, p99 {fresh['p99']:.0f} ms"
                      " (event durable -> visible to ranking)"),
        ("events", f"{events['accepted']:,} in {seconds:.0f} s:"
                   f" {events['accepted'] / seconds:,.0f} a second")]
    print()
    for name, figure in figures:
        print(name.ljust(22) + figure)
    if not balanced:
        print(f"events are missing: {events['accepted']:,} accepted, {ended:,} accounted for")
    print("\nevery program that can be met kept its promise" if kept
          else "\nnot every program kept its promise")
    return 0 if kept and balanced else 1


if __name__ == "__main__":
    sys.exit(main())
