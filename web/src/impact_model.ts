// What GET /v1/impact answers (contract 2.7), read into plain objects: whatever is missing is NaN
// or empty, and shows as a dash.
import { ApiError, type Json, callJson, isObject, numberOf, objectsOf, textOf } from './api.js';

export const kMeasures = [
  'viewable',
  'orders',
  'amount_fen',
  'income_fen',
  'weight_g',
  'donated_fen',
] as const;
export type Measure = (typeof kMeasures)[number];
export type By = 'county' | 'program' | 'cause' | 'creator';

const kNumbers = [...kMeasures, 'served', 'boosted_viewable', 'households'] as const;
export type Numbers = Record<(typeof kNumbers)[number], number>;
export interface Group extends Numbers {
  key: string;
  name: string;
  label: string; // of a program: ad, public_good, or nothing
}
export interface Point extends Numbers {
  ts_ms: number;
}
export interface Equity {
  counties: number;
  gini: number;
  lorenz: number[];
  worst: { county: string; name: string; viewable: number }[];
}
export interface Impact {
  totals: Numbers;
  groups: Group[];
  series: Point[];
  equity: Equity | null;
  userLoss: number;
}

export interface Period {
  from: number;
  to: number;
  step: 'hour' | 'day';
}

const numbersOf = (json: Json): Numbers =>
  Object.fromEntries(kNumbers.map((name) => [name, numberOf(json[name])])) as Numbers;

function equityOf(value: unknown): Equity | null {
  if (!isObject(value) || !Array.isArray(value.lorenz)) return null;
  return {
    counties: numberOf(value.counties),
    gini: numberOf(value.gini),
    lorenz: value.lorenz.map(numberOf).filter(Number.isFinite),
    worst: objectsOf(value.worst).map((one) => ({
      county: textOf(one.county),
      name: textOf(one.name),
      viewable: numberOf(one.viewable),
    })),
  };
}

export function impactUrl(by: By, { from, to, step }: Period): string {
  return `/v1/impact?${new URLSearchParams({ by, from: String(from), to: String(to), step })}`;
}

export async function fetchImpact(
  by: By,
  period: Period,
  signal: AbortSignal,
): Promise<Impact> {
  const answer = await callJson(impactUrl(by, period), { signal });
  if (!isObject(answer.totals) || !Array.isArray(answer.groups)) throw new ApiError('malformed');
  return {
    totals: numbersOf(answer.totals),
    groups: objectsOf(answer.groups).map((one) => ({
      ...numbersOf(one),
      key: textOf(one.key),
      name: textOf(one.name),
      label: textOf(one.label),
    })),
    series: objectsOf(answer.series).map((one) => ({
      ...numbersOf(one),
      ts_ms: numberOf(one.ts_ms),
    })),
    equity: equityOf(answer.equity),
    userLoss: numberOf(answer.user_loss_ratio),
  };
}
