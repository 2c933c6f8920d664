// Programs, experiments and the engine's health as the operators' page has them, read from what
// the API answers (contract 2.5, 2.6, 2.9). Missing fields become NaN, '' or [].
import { type Json, isObject, numberOf, objectsOf, textOf, textsOf } from './api.js';
import type { Lang } from './format.js';

export interface Name {
  zh: string;
  en: string;
}

export interface Interval {
  value: number;
  low: number;
  high: number;
}

export interface Cause {
  cause: string;
  share: number;
}

export interface Goal {
  unit: string;
  per: string;
  target: number;
  delivered: number;
  inFlight: number;
  curve: number; // share of the target that should be there by now
  pace: number;
  price: number; // fen
  forecast: Interval;
  shortBy: number;
  shortfall: Cause[];
}

export interface Change {
  at: number;
  who: string;
  what: string;
  from: string;
  to: string;
}

// What programs and experiments have in common: they are switched, changed and refused alike.
export interface Thing {
  id: string;
  name: Name;
  enabled: boolean;
  revision: string;
  refused: string[];
  history: Change[];
}

export interface Program extends Thing {
  blocked: boolean;
  urgent: boolean;
  priority: number;
  start: number;
  end: number;
  inserted: number;
  label: { kind: string; text: Name } | null; // what viewers see on its items
  goals: Goal[];
}

export interface Variation {
  key: string;
  weight: number;
  exposures: number;
  set: string[]; // "ranking.user_loss_budget: 0.03"
}

// Coverage that grows by itself, and what it waits for.
export interface Ramp {
  state: string;
  why: string; // the engine's own words
  steps: number[];
  next: number; // NaN after the last step
  due: number;
  viewersMin: number;
  approveAt: number;
  approvedBy: string;
}

export interface Experiment extends Thing {
  state: string;
  holdout: boolean;
  layer: string;
  low: number;
  high: number;
  coverage: number;
  variations: Variation[];
  start: number; // NaN: has none
  end: number;
  ramp: Ramp | null;
  alarm: { kind: string; why: string } | null; // what its results hold against it
}

export interface Boosting {
  enabled: boolean;
  revision: string;
  history: Change[];
}

export interface Health {
  now: number; // engine time
  requests: number;
  inserted: number;
  p99Ms: number;
  lag: number;
  loss: number;
  degraded: [string, number][];
}

export interface World {
  programs: Program[];
  experiments: Experiment[];
  boosting: Boosting;
  health: Health;
  errors: string[];
}

export function nameOf(value: unknown, id: string): Name {
  const names = isObject(value) ? value : {};
  const zh = textOf(names['zh-CN']);
  const en = textOf(names.en);
  return { zh: zh || en || id, en: en || zh || id };
}

export const nameIn = (name: Name, lang: Lang): string => (lang === 'en' ? name.en : name.zh);

function intervalOf(value: unknown): Interval {
  const one = isObject(value) ? value : {};
  return { value: numberOf(one.value), low: numberOf(one.low), high: numberOf(one.high) };
}

export function goalOf(one: Json): Goal {
  return {
    unit: textOf(one.unit),
    per: textOf(one.per),
    target: numberOf(one.target),
    delivered: numberOf(one.delivered),
    inFlight: numberOf(one.in_flight),
    curve: numberOf(one.curve),
    pace: numberOf(one.pace),
    price: numberOf(one.price),
    forecast: intervalOf(one.forecast),
    shortBy: numberOf(one.short_by),
    shortfall: objectsOf(one.shortfall).map((c) => ({
      cause: textOf(c.cause),
      share: numberOf(c.share),
    })),
  };
}

export function changesOf(value: unknown): Change[] {
  return objectsOf(value).map((one) => ({
    at: numberOf(one.at_ms),
    who: textOf(one.who),
    what: textOf(one.what),
    from: textOf(one.from),
    to: textOf(one.to),
  }));
}

function thingOf(one: Json): Thing {
  const id = textOf(one.id);
  return {
    id,
    name: nameOf(one.name, id),
    enabled: one.enabled === true,
    revision: textOf(one.revision),
    refused: textsOf(one.refused),
    history: changesOf(one.history),
  };
}

export function programOf(one: Json): Program {
  const schedule = isObject(one.schedule) ? one.schedule : {};
  return {
    ...thingOf(one),
    blocked: one.blocked === true,
    urgent: one.urgent === true,
    priority: numberOf(one.priority),
    start: numberOf(schedule.start_ms),
    end: numberOf(schedule.end_ms),
    inserted: numberOf(one.inserted),
    label: isObject(one.label)
      ? { kind: textOf(one.label.kind), text: nameOf(one.label, textOf(one.label.kind)) }
      : null,
    goals: objectsOf(one.goals).map(goalOf),
  };
}

function variationOf(one: Json): Variation {
  const set = isObject(one.set) ? one.set : {};
  return {
    key: textOf(one.key),
    weight: numberOf(one.weight),
    exposures: numberOf(one.exposures),
    set: Object.entries(set).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
  };
}

function rampOf(value: unknown): Ramp | null {
  if (!isObject(value)) return null;
  const steps = Array.isArray(value.steps) ? value.steps : [];
  return {
    state: textOf(value.state),
    why: textOf(value.why),
    steps: steps.map(numberOf),
    next: numberOf(value.next),
    due: numberOf(value.due_ms),
    viewersMin: numberOf(value.viewers_min),
    approveAt: numberOf(value.approve_at),
    approvedBy: textOf(value.approved_by),
  };
}

export function experimentOf(one: Json): Experiment {
  const range = Array.isArray(one.range) ? one.range : [];
  const schedule = isObject(one.schedule) ? one.schedule : {};
  return {
    ...thingOf(one),
    state: textOf(one.state),
    holdout: one.holdout === true,
    layer: textOf(one.layer),
    low: numberOf(range[0]),
    high: numberOf(range[1]),
    coverage: numberOf(one.coverage),
    variations: objectsOf(one.variations).map(variationOf),
    start: numberOf(schedule.start_ms),
    end: numberOf(schedule.end_ms),
    ramp: rampOf(one.ramp),
    alarm: isObject(one.alarm)
      ? { kind: textOf(one.alarm.kind), why: textOf(one.alarm.why) }
      : null,
  };
}

function healthOf(stats: Json): Health {
  const rank = isObject(stats.rank) ? stats.rank : {};
  const degraded = isObject(rank.degraded) ? rank.degraded : {};
  return {
    now: numberOf(stats.engine_time_ms),
    requests: numberOf(rank.requests),
    inserted: numberOf(rank.inserted),
    p99Ms: numberOf(rank.p99_ms),
    lag: numberOf(stats.lag_records),
    loss: numberOf(stats.user_loss_ratio),
    degraded: Object.entries(degraded)
      .map(([stage, count]): [string, number] => [stage, numberOf(count)])
      .filter(([, count]) => count > 0),
  };
}

// From what GET /v1/programs, /v1/experiments, /v1/boosting and /v1/stats answered.
export function worldOf(programs: Json, experiments: Json, boosting: Json, stats: Json): World {
  return {
    programs: objectsOf(programs.programs).map(programOf),
    experiments: objectsOf(experiments.experiments).map(experimentOf),
    boosting: {
      enabled: boosting.enabled !== false,
      revision: textOf(boosting.revision),
      history: changesOf(boosting.history),
    },
    health: healthOf(stats),
    errors: [programs, experiments, boosting].flatMap((one) => textsOf(one.errors)),
  };
}

// A program's state in one word, of which the first that holds counts.
export function stateOf(program: Program, now: number): string {
  if (program.blocked) return 'blocked';
  if (!program.enabled) return 'disabled';
  if (now < program.start) return 'scheduled';
  return now >= program.end ? 'ended' : 'running';
}
