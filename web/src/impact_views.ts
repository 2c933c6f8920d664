// The impact page's parts as DOM; every text from outside goes in as a text node.
import { color, optionOf } from './chart.js';
import { h, known, morph } from './dom.js';
import { type Lang, bucket, count, money, people, share, weight, yuan } from './format.js';
import {
  type By,
  type Equity,
  type Group,
  type Impact,
  type Measure,
  type Numbers,
  type Period,
  type Point,
  kMeasures,
} from './impact_model.js';
import type { Words } from './impact_words.js';
import { countyName, isCounty832 } from './map.js';

const kRowsFirst = 12;
const kHalf = 5; // of the Lorenz curve's tenths

export interface View {
  lang: Lang;
  words: Words;
  measure: Measure;
}

// A number of a measure in the units that people use.
export function shown(measure: Measure | 'households', value: unknown, lang: Lang): string {
  if (measure === 'weight_g') return weight(value, lang);
  return measure.endsWith('_fen') ? money(value, lang) : people(value, lang);
}

// The same to the last digit, for tables that somebody adds up.
const exact = (measure: Measure, value: unknown, lang: Lang): string => {
  if (measure === 'weight_g') return weight(value, lang);
  return measure.endsWith('_fen') ? yuan(value) : count(value);
};

export function renderTotals(element: Element, impact: Impact, { words: w, lang }: View): void {
  const { totals: t, userLoss } = impact;
  const tile = (name: string, label: string, value: string, hint: string) =>
    h(
      'div',
      { className: 'tile', 'data-total': name },
      h('dt', {}, label),
      h('dd', { className: 'value' }, value),
      h('dd', { className: 'hint' }, hint),
    );
  const of = (name: Measure | 'households') => shown(name, t[name], lang);
  morph(
    element,
    tile(
      'viewable',
      w.viewable,
      of('viewable'),
      w.viewableHint(share(t.boosted_viewable, t.viewable)),
    ),
    tile('orders', w.orders, of('orders'), w.ordersHint(of('amount_fen'))),
    tile('income_fen', w.income_fen, of('income_fen'), w.income_fenHint),
    tile('households', w.households, of('households'), w.householdsHint),
    tile('donated_fen', w.donated_fen, of('donated_fen'), w.donated_fenHint),
    tile('weight_g', w.weight_g, of('weight_g'), w.weight_gHint),
    tile('user_loss', w.userLoss, share(userLoss), w.userLossHint),
  );
}

export function renderMeasures(element: Element, { words: w, measure }: View): void {
  const buttons = kMeasures.map((name) =>
    h(
      'button',
      {
        type: 'button',
        'data-action': 'measure',
        'data-value': name,
        'aria-pressed': String(name === measure),
      },
      w[name],
    ),
  );
  morph(element, ...buttons);
}

// Most of the measure first; ties by key, so that a refresh does not shuffle.
const byMost = (measure: Measure) => (a: Group, b: Group) =>
  (b[measure] || 0) - (a[measure] || 0) || (a.key < b.key ? -1 : 1);

const columnsOf = (measure: Measure): Measure[] => [
  measure,
  ...(['viewable', 'orders', 'income_fen'] as const).filter((name) => name !== measure).slice(0, 2),
];

function head(first: string, columns: Measure[], { words: w }: View): HTMLElement {
  const names = [first, ...columns.map((name) => w[name])];
  return h('thead', {}, h('tr', {}, ...names.map((name) => h('th', { scope: 'col' }, name))));
}

const cells = (numbers: Numbers, columns: Measure[], lang: Lang) =>
  columns.map((name) => h('td', {}, shown(name, numbers[name], lang)));

const moreRow = (what: string, rest: number, columns: number, w: Words) =>
  h(
    'tr',
    {},
    h(
      'td',
      { colspan: columns + 1 },
      h(
        'button',
        { type: 'button', className: 'wide', 'data-action': 'more', 'data-value': what },
        w.more(count(rest)),
      ),
    ),
  );

export interface CountyTable {
  province: string;
  picked: string;
  all: boolean;
}

export function renderCounties(
  table: Element,
  groups: Group[],
  chosen: CountyTable,
  view: View,
): void {
  const { measure, words: w, lang } = view;
  const columns = columnsOf(measure);
  const sorted = groups.filter(({ key }) => key.startsWith(chosen.province)).sort(byMost(measure));
  const rows = (chosen.all ? sorted : sorted.slice(0, kRowsFirst)).map((group) => {
    const name = isCounty832(group.key)
      ? h(
          'button',
          {
            type: 'button',
            className: 'link',
            'data-action': 'pick',
            'data-value': group.key,
            lang: 'zh-CN',
          },
          countyName(group.key),
        )
      : h('bdi', {}, group.key === '' ? w.noCounty : group.name || group.key);
    return h(
      'tr',
      {
        'data-key': group.key,
        className: group.key !== '' && group.key === chosen.picked ? 'is-picked' : '',
      },
      h('th', { scope: 'row' }, name),
      ...cells(group, columns, lang),
    );
  });
  if (rows.length < sorted.length) rows.push(moreRow('counties', sorted.length, columns.length, w));
  morph(table, head(w.county, columns, view), h('tbody', {}, ...rows));
}

export function renderCounty(
  element: Element,
  group: Group | null,
  picked: string,
  view: View,
): void {
  const { words: w, lang } = view;
  if (picked === '') return morph(element, h('p', { className: 'hint' }, w.pickHint));
  const title = h('h3', { lang: 'zh-CN' }, countyName(picked));
  if (group === null) return morph(element, title, h('p', { className: 'hint' }, w.countyNone));
  const facts = ([...kMeasures, 'households'] as const).map((name) =>
    h('div', {}, h('dt', {}, w[name]), h('dd', {}, shown(name, group[name], lang))),
  );
  morph(element, title, h('dl', { className: 'figures' }, ...facts));
}

export function renderParts(
  table: Element,
  groups: Group[],
  by: By,
  all: boolean,
  view: View,
): void {
  const { measure, words: w, lang } = view;
  const columns = columnsOf(measure);
  const sorted = [...groups].sort(byMost(measure));
  const rows = (all ? sorted : sorted.slice(0, kRowsFirst)).map((group) => {
    const name = group.name || group.key || '—';
    const cell = h('th', { scope: 'row' }, h('bdi', {}, name));
    if (name !== group.key) cell.append(h('bdi', { className: 'key' }, group.key));
    if (group.label !== '')
      cell.append(h('span', { className: 'label' }, known(w.label, group.label)));
    return h('tr', { 'data-key': group.key }, cell, ...cells(group, columns, lang));
  });
  if (rows.length < sorted.length) rows.push(moreRow('parts', sorted.length, columns.length, w));
  const title = w.by[by as keyof Words['by']];
  morph(table, head(title, columns, view), h('tbody', {}, ...rows));
}

export function renderSeries(table: Element, points: Point[], step: string, view: View): void {
  const { words: w, lang } = view;
  const rows = points.map((point) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, bucket(point.ts_ms, step, lang, true)),
      ...kMeasures.map((name) => h('td', {}, exact(name, point[name], lang))),
    ),
  );
  morph(table, head(w.when, [...kMeasures], view), h('tbody', {}, ...rows));
}

const kStepMs = { hour: 3_600_000, day: 86_400_000 };

// The answer's steps with a zero for each one that it leaves out, up to `now`: a quiet night looks
// like one.
export function everyStep(series: Point[], { from, to, step }: Period, now: number): Point[] {
  const given = new Map(series.map((point) => [point.ts_ms, point]));
  if (given.size === 0) return [];
  const none = Object.fromEntries(kMeasures.map((name) => [name, 0])) as unknown as Numbers;
  const all: Point[] = [];
  for (let ts_ms = from; ts_ms < to; ts_ms += kStepMs[step]) {
    const point = given.get(ts_ms);
    if (point !== undefined || ts_ms <= now) all.push(point ?? { ...none, ts_ms });
  }
  return all;
}

// The measure as bars, one a step.
export function timeOption(points: Point[], step: string, { measure, words: w, lang }: View) {
  const values = points.map((point) => point[measure] || 0);
  const series = {
    name: w[measure],
    type: 'bar',
    barMaxWidth: 28,
    data: values,
    itemStyle: { color: color('chart-viewable') },
    emphasis: { disabled: true },
  };
  const labels = points.map((point) => bucket(point.ts_ms, step, lang, false));
  return optionOf(labels, [series], (value) => shown(measure, Math.round(Number(value)), lang));
}

export function bestOf(points: Point[], step: string, { measure, words: w, lang }: View): string {
  const best = points.reduce<Point | null>(
    (most, one) => ((one[measure] || 0) > (most?.[measure] || 0) ? one : most),
    null,
  );
  if (best === null) return '';
  return w.best(bucket(best.ts_ms, step, lang, true), shown(measure, best[measure], lang));
}

const percent = (value: unknown): string => `${Math.round(Number(value) * 100)}%`;

export function lorenzOption({ lorenz }: Equity, { words: w }: View) {
  const line = (name: string, data: number[], look: object) => ({
    name,
    type: 'line',
    data,
    symbol: 'none',
    emphasis: { disabled: true },
    ...look,
  });
  const last = Math.max(1, lorenz.length - 1);
  const labels = lorenz.map((_, i) => percent(i / last));
  const even = lorenz.map((_, i) => i / last);
  const option = optionOf(
    labels,
    [
      line(w.lorenzEven, even, {
        itemStyle: { color: color('muted') },
        lineStyle: { color: color('muted'), type: 'dashed', width: 2 },
      }),
      line(w.lorenzShare, lorenz, {
        itemStyle: { color: color('chart-boosted_viewable') },
        lineStyle: { color: color('chart-boosted_viewable'), width: 3 },
        areaStyle: { color: color('chart-boosted_viewable'), opacity: 0.15 },
      }),
    ],
    percent,
  );
  return { ...option, yAxis: { ...option.yAxis, max: 1, interval: 0.25 } };
}

export function renderEquity(
  parts: { gini: Element; lorenz: Element; worst: Element },
  equity: Equity,
  view: View,
): void {
  const { words: w, lang } = view;
  parts.gini.textContent = w.gini(equity.gini.toFixed(3), count(equity.counties));
  parts.lorenz.setAttribute('aria-label', w.lorenzLabel(share(equity.lorenz[kHalf])));
  const rows = equity.worst.map((one) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, h('bdi', { lang: 'zh-CN' }, countyName(one.county))),
      h('td', {}, people(one.viewable, lang)),
    ),
  );
  morph(parts.worst, head(w.county, ['viewable'], view), h('tbody', {}, ...rows));
}
