// Results of an experiment (contract 2.6), from what GET .../results answers to nodes: in the order
// in which they are to be read, which is whether the numbers count at all, then guardrails, then
// the intervals that may be looked at every day, then those of one look.
import { type Json, isObject, numberOf, objectsOf, textOf } from './api.js';
import { h, known, svg } from './dom.js';
import { type Lang, count, moment, share, signedShare, significant } from './format.js';
import { type Name, nameIn, nameOf } from './operate_model.js';
import type { ResultsWords } from './operate_results_words.js';

interface Lift {
  value: number;
  low: number;
  high: number;
  p: number;
}

interface Lifts {
  sequential: Lift | null; // right however often it is looked at
  fixed: Lift | null; // right once
  absolute: Lift | null; // sequential, for where nothing relative can be said
}

interface Arm {
  key: string;
  mean: number;
  plain: Lifts;
  cuped: Lifts;
  guardrail: string; // '' without one
}

interface Metric {
  id: string;
  name: Name;
  kind: string;
  upIsGood: boolean;
  windowDays: number;
  limit: number; // relative, towards the worse
  arms: Arm[]; // the control first
}

interface Phase {
  id: string;
  isPresent: boolean;
  viewers: number;
  from: number;
  to: number;
}

export interface Results {
  id: string;
  name: Name;
  phase: string;
  newest: number;
  multiple: number;
  leftOut: number;
  ratio: { p: number; alarm: boolean } | null;
  variations: { key: string; weight: number; viewers: number }[];
  metrics: Metric[];
  phases: Phase[];
}

function liftOf(value: unknown): Lift | null {
  if (!isObject(value)) return null;
  const [low, high] = [numberOf(value.low), numberOf(value.high)];
  if (!Number.isFinite(low) || !Number.isFinite(high)) return null;
  return { value: numberOf(value.value), low, high, p: numberOf(value.p) };
}

function liftsOf(value: unknown): Lifts {
  const all = isObject(value) ? value : {};
  return {
    sequential: liftOf(all.relative_sequential),
    fixed: liftOf(all.relative),
    absolute: liftOf(all.absolute_sequential),
  };
}

const armOf = (one: Json): Arm => ({
  key: textOf(one.key),
  mean: numberOf(one.mean),
  plain: liftsOf(one.lift),
  cuped: liftsOf(one.lift_cuped),
  guardrail: textOf(one.guardrail),
});

const metricOf = (one: Json): Metric => ({
  id: textOf(one.metric),
  name: nameOf(one.name, textOf(one.metric)),
  kind: textOf(one.kind),
  upIsGood: one.better !== 'down',
  windowDays: numberOf(one.window_days),
  limit: numberOf(one.guardrail_limit),
  arms: objectsOf(one.variations).map(armOf),
});

export function resultsOf(answer: Json): Results {
  const id = textOf(answer.experiment);
  const ratio = answer.sample_ratio;
  return {
    id,
    name: nameOf(answer.name, id),
    phase: textOf(answer.phase),
    newest: numberOf(answer.newest_ms),
    multiple: numberOf(answer.multiple),
    leftOut: numberOf(answer.left_out),
    ratio: isObject(ratio) ? { p: numberOf(ratio.p), alarm: ratio.alarm === true } : null,
    variations: objectsOf(answer.variations).map((one) => ({
      key: textOf(one.key),
      weight: numberOf(one.weight),
      viewers: numberOf(one.viewers),
    })),
    metrics: objectsOf(answer.metrics).map(metricOf),
    phases: objectsOf(answer.phases).map((one) => ({
      id: textOf(one.phase),
      isPresent: one.present === true,
      viewers: numberOf(one.viewers),
      from: numberOf(one.from_ms),
      to: numberOf(one.to_ms),
    })),
  };
}

// What the interval that may be looked at every day shows: better, worse or nothing yet.
export function verdictOf(lift: Lift | null, upIsGood: boolean): 'better' | 'worse' | 'open' {
  if (lift === null || (lift.low <= 0 && lift.high >= 0)) return 'open';
  return lift.low > 0 === upIsGood ? 'better' : 'worse';
}

function sampleRatio({ ratio }: Results, w: ResultsWords): HTMLElement {
  const id = 'sample-ratio';
  if (ratio === null) return h('p', { id, className: 'hint' }, w.ratioNone);
  const p = significant(ratio.p);
  if (!ratio.alarm) return h('p', { id, className: 'sure' }, w.ratioGood(p));
  return h('p', { id, className: 'banner error', role: 'alert' }, w.ratioAlarm(p));
}

function viewersTable(results: Results, w: ResultsWords): HTMLElement {
  const rows = results.variations.map((one) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, h('bdi', {}, one.key)),
      h('td', {}, share(one.weight)),
      h('td', {}, count(one.viewers)),
    ),
  );
  const heads = [w.variation, w.weight, w.viewers];
  return h(
    'table',
    { id: 'result-viewers' },
    h('thead', {}, h('tr', {}, ...heads.map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, ...rows),
  );
}

// Intervals on one scale about no difference: the one at any time as a bar with the one at one look
// thicker on it, the one with CUPED below; where a guardrail is, its limit is dashed.
function liftChart(arm: Arm, limit: number | null, label: string): SVGElement {
  const { sequential, fixed } = arm.plain;
  const cuped = arm.cuped.sequential;
  const ends = [sequential, fixed, cuped].flatMap((one) => (one ? [one.low, one.high] : []));
  const most = Math.max(0.005, ...ends.map(Math.abs), Math.abs(limit ?? 0)) * 1.05;
  const x = (value: number) => 50 + (50 * value) / most;
  const bar = (lift: Lift | null, y: number, height: number, name: string) =>
    lift
      ? [svg('rect', { x: x(lift.low), y, width: x(lift.high) - x(lift.low), height, class: name })]
      : [];
  const tick = (lift: Lift | null, y: number) =>
    lift ? [svg('line', { x1: x(lift.value), x2: x(lift.value), y1: y, y2: y + 9 })] : [];
  const across = (at: number, name: string) =>
    svg('line', { x1: x(at), x2: x(at), y1: 0, y2: 26, class: name });
  return svg(
    'svg',
    { class: 'lift-chart', viewBox: '0 0 100 26', preserveAspectRatio: 'none', role: 'img' },
    svg('title', {}, label),
    across(0, 'zero'),
    ...bar(sequential, 5, 5, 'any-time'),
    ...bar(fixed, 3, 9, 'one-look'),
    ...bar(cuped, 18, 5, 'cuped'),
    ...(limit === null ? [] : [across(limit, 'limit')]),
    ...tick(sequential, 3),
    ...tick(cuped, 16),
  );
}

const rangeOf = (lift: Lift | null, w: ResultsWords): string =>
  lift ? w.interval(signedShare(lift.low), signedShare(lift.high)) : w.unknown;

function liftRow(name: string, label: string, lift: Lift | null, w: ResultsWords): HTMLElement {
  const said = [signedShare(lift?.value ?? NaN), rangeOf(lift, w)];
  return h(
    'tr',
    { 'data-lift': name },
    h('th', { scope: 'row' }, h('span', { className: `mark ${name}` }), label),
    ...said.map((text) => h('td', {}, text)),
  );
}

function armBlock(arm: Arm, metric: Metric, w: ResultsWords): HTMLElement {
  const { sequential, fixed, absolute } = arm.plain;
  const verdict = verdictOf(sequential ?? absolute, metric.upIsGood);
  const limit = arm.guardrail === '' ? null : metric.upIsGood ? -metric.limit : metric.limit;
  const guardrail = h(
    'span',
    { className: `chip is-${arm.guardrail}` },
    w.guardrail(share(metric.limit), known(w.guardrailVerdict, arm.guardrail)),
  );
  const label = w.chartLabel(arm.key, rangeOf(sequential, w));
  return h(
    'div',
    { className: 'arm', 'data-arm': arm.key },
    h(
      'div',
      { className: 'line' },
      h('bdi', { className: 'name' }, arm.key),
      h('span', { className: `verdict is-${verdict}` }, w.verdict[verdict]),
    ),
    ...(arm.guardrail === '' ? [] : [h('div', { className: 'chips' }, guardrail)]),
    ...(sequential || fixed ? [liftChart(arm, limit, label)] : []),
    ...(sequential || fixed ? [liftTable(arm, w)] : []),
    ...(sequential === null
      ? [h('p', { className: 'hint' }, absolute ? w.absolute(...spoken(absolute)) : w.unknown)]
      : []),
  );
}

function liftTable({ plain, cuped }: Arm, w: ResultsWords): HTMLElement {
  const oneLook = plain.fixed ? `${w.oneLook} (p ${significant(plain.fixed.p)})` : w.oneLook;
  const rows = [
    liftRow('any-time', w.anyTime, plain.sequential, w),
    liftRow('one-look', oneLook, plain.fixed, w),
    liftRow('cuped', w.cuped, cuped.sequential, w),
  ];
  return h('table', { className: 'lifts' }, h('tbody', {}, ...rows));
}

const spoken = ({ value, low, high }: Lift): [string, string, string] => [
  significant(value),
  significant(low),
  significant(high),
];

function metricBlock(metric: Metric, lang: Lang, w: ResultsWords): HTMLElement {
  const [control, ...others] = metric.arms;
  const facts = [
    known(w.kind, metric.kind),
    metric.upIsGood ? w.upIsGood : w.downIsGood,
    metric.windowDays > 0 ? w.window(count(metric.windowDays)) : w.windowAll,
    ...(control ? [w.controlMean(significant(control.mean))] : []),
  ];
  return h(
    'section',
    { className: 'metric', 'data-metric': metric.id },
    h('h3', {}, h('bdi', {}, nameIn(metric.name, lang))),
    h('ul', { className: 'facts' }, ...facts.map((text) => h('li', {}, text))),
    ...others.map((arm) => armBlock(arm, metric, w)),
  );
}

function phaseButtons({ id, phase, phases }: Results, lang: Lang, w: ResultsWords): HTMLElement[] {
  if (phases.length === 0) return [];
  const button = (one: Phase) =>
    h(
      'button',
      {
        type: 'button',
        className: 'phase',
        'data-action': 'results',
        'data-kind': 'experiment',
        'data-id': id,
        'data-phase': one.id,
        'aria-pressed': String(one.id === phase),
      },
      w.phase(moment(one.from, lang), moment(one.to, lang), count(one.viewers)),
      ...(one.isPresent ? [` · ${w.present}`] : []),
    );
  return [
    h('h3', {}, w.phases),
    h('p', { className: 'hint' }, w.phasesHint),
    h('div', { className: 'buttons phases' }, ...phases.map(button)),
  ];
}

// The first look: what an operator does with it, in a sentence.
function summary(results: Results, w: ResultsWords): HTMLElement {
  const arms = results.metrics.flatMap((metric) =>
    metric.arms.slice(1).map((arm) => ({
      guardrail: arm.guardrail,
      verdict: verdictOf(arm.plain.sequential ?? arm.plain.absolute, metric.upIsGood),
    })),
  );
  const breached = arms.some(({ guardrail }) => guardrail === 'breached');
  const worse = arms.some(({ verdict }) => verdict === 'worse');
  const better = arms.some(({ verdict }) => verdict === 'better');
  if (results.ratio?.alarm) return h('p', { id: 'summary' }, w.sumAlarm);
  if (breached) return h('p', { id: 'summary' }, w.sumBreached);
  if (worse) return h('p', { id: 'summary' }, better ? w.sumMixed : w.sumWorse);
  return h('p', { id: 'summary' }, better ? w.sumBetter : w.sumOpen);
}

// Guardrails first, what nothing is known of last.
function byWeight(metrics: Metric[]): Metric[] {
  const rank = ({ arms }: Metric): number => {
    if (!arms.some(({ plain }) => plain.sequential)) return 2;
    return arms.some(({ guardrail }) => guardrail !== '') ? 0 : 1;
  };
  return [...metrics].sort((a, b) => rank(a) - rank(b));
}

export function resultsView(results: Results, lang: Lang, w: ResultsWords): HTMLElement[] {
  const viewers = results.variations.reduce((sum, one) => sum + (one.viewers || 0), 0);
  const facts = [
    ...(results.newest > 0 ? [w.newest(moment(results.newest, lang))] : []),
    ...(results.multiple > 0 ? [w.multiple(count(results.multiple))] : []),
    ...(results.leftOut > 0 ? [w.leftOut(count(results.leftOut))] : []),
  ];
  const phases = phaseButtons(results, lang, w);
  if (viewers === 0) return [h('p', { id: 'summary' }, w.nobody), ...phases];
  return [
    summary(results, w),
    sampleRatio(results, w),
    viewersTable(results, w),
    h('ul', { className: 'facts' }, ...facts.map((text) => h('li', {}, text))),
    ...byWeight(results.metrics).map((metric) => metricBlock(metric, lang, w)),
    ...phases,
  ];
}
