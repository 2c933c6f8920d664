#!/usr/bin/env python3
"""Prints what a demo's day brought: the totals and equity of GET /v1/impact, from a file."""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        impact = json.load(file)
    totals = impact["totals"]
    sold = sum(1 for group in impact["groups"] if group["key"] and group["orders"] > 0)
    print(f"impact: {totals['viewable']:,} viewable exposures, {totals['orders']:,} orders from "
          f"{sold} counties, {totals['amount_fen'] / 100:,.2f} yuan paid")
    print(f"        {totals['income_fen'] / 100:,.2f} yuan of income for producers, "
          f"{totals['households']:,} households, {totals['weight_g'] / 500:,.0f} jin of goods, "
          f"{totals['donated_fen'] / 100:,.2f} yuan donated; "
          f"Gini {impact['equity']['gini']:.3f} of {impact['equity']['counties']} counties")


main()
