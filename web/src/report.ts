// One exposure answer as DOM. Every text from outside goes in as a text node, so there is nothing
// to escape; bars are <progress>, so a strict CSP holds.
import { type Json, isObject, numberOf, textOf, textsOf } from './api.js';
import type { Point } from './chart.js';
import { h, known, morph } from './dom.js';
import { type Lang, bucket, count, hours, share, yuan } from './format.js';
import { countyName, isCounty832 } from './map.js';
import type { Words } from './words.js';

const kItemsFirst = 10; // rows before "show all"
const kTiles = [
  'served',
  'viewable',
  'unique_viewers',
  'watch_ms',
  'clicks',
  'orders',
  'amount_fen',
  'income_fen',
] as const;
const kItemColumns = ['served', 'viewable', 'clicks', 'orders', 'amount_fen'] as const;
const kSeriesColumns = ['served', 'viewable', 'boosted_viewable'] as const;

// Paces from which a guarantee counts as fine, and as only a little slow.
const kPaceGood = 0.95;
const kPaceSlow = 0.8;

const kHourMs = 3_600_000;
const kDayMs = 24 * kHourMs;

function shown(name: string, value: unknown, words: Words): string {
  if (name === 'watch_ms') return hours(value, words.lang);
  return name.endsWith('_fen') ? yuan(value) : count(value);
}

// Long numbers in smaller type, so that 9 digits stand on one line of a 360 px screen.
function sizeOf(value: string): string {
  if (value.length <= 9) return '';
  return value.length <= 13 ? 'long' : 'longer';
}

export interface Earlier {
  before: Json | null; // totals of the period before
  isDay: boolean; // it is all of yesterday, whose hours this day has not had yet
}

// "yesterday 1,234", or "before 1,234 (+12.5%)"; nothing where the period before has nothing.
function comparison(name: string, now: unknown, { before, isDay }: Earlier, words: Words): string {
  const then = numberOf(before?.[name]);
  if (!Number.isFinite(then)) return '';
  if (isDay) return words.yesterday(shown(name, then, words));
  const change = then > 0 ? changeOf(numberOf(now), then) : '';
  return words.before(shown(name, then, words)) + change;
}

function changeOf(now: number, then: number): string {
  if (!Number.isFinite(now)) return '';
  const percent = ((now - then) / then) * 100;
  return ` (${percent > 0 ? '+' : ''}${percent.toFixed(1)}%)`;
}

function tile(name: string, value: string, label: string, hint: string, then = ''): HTMLElement {
  const box = h(
    'div',
    { className: 'tile' },
    h('dt', {}, label),
    h('dd', { className: `value ${sizeOf(value)}` }, value),
    h('dd', { className: 'hint' }, hint),
  );
  if (then !== '') box.append(h('dd', { className: 'hint then' }, then));
  box.dataset.total = name;
  return box;
}

export function renderTotals(element: Element, totals: Json, earlier: Earlier, words: Words): void {
  const tiles = kTiles.map((name) =>
    tile(
      name,
      shown(name, totals[name], words),
      words[name],
      words[`${name}Hint` as const],
      comparison(name, totals[name], earlier, words),
    ),
  );
  tiles.push(
    tile(
      'boosted',
      share(totals.boosted_viewable, totals.viewable),
      words.boosted,
      words.boostedHint,
    ),
  );
  const extra = totals.incremental_orders;
  if (isObject(extra) && Number.isFinite(extra.value)) {
    const hint = words.incremental_ordersHint(count(extra.low), count(extra.high));
    tiles.push(tile('incremental_orders', count(extra.value), words.incremental_orders, hint));
  }
  morph(element, ...tiles);
}

// What boosting did beside what came by itself: exposures and orders, and orders of a thousand
// exposures.
export function renderBoosted(table: Element, totals: Json, words: Words): void {
  const of = (name: string) => numberOf(totals[name]);
  const parts = [
    [words.byBoost, of('boosted_viewable'), of('boosted_orders')],
    [words.byItself, of('viewable') - of('boosted_viewable'), of('orders') - of('boosted_orders')],
  ] as const;
  const rows = parts.map(([name, viewable, orders]) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      h('td', {}, count(viewable)),
      h('td', {}, count(orders)),
      h('td', {}, viewable > 0 ? ((orders / viewable) * 1000).toFixed(1) : '—'),
    ),
  );
  const head = ['', words.viewable, words.orders, words.perThousand];
  morph(
    table,
    h('thead', {}, h('tr', {}, ...head.map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, ...rows),
  );
}

// What the owner of an item can do so that it is shown more.
export function renderAdvice(list: Element, advice: Json[], words: Words): void {
  const rows = advice.map((one) => {
    const reasons = textsOf(one.reasons).map((code) => h('li', {}, known(words.advise, code)));
    const name = textOf(one.title) || textOf(one.item_id);
    return h(
      'li',
      { 'data-key': textOf(one.item_id) },
      h('bdi', { className: 'name' }, name),
      h('ul', { className: 'plain' }, ...reasons),
    );
  });
  morph(list, ...(rows.length ? rows : [h('li', { className: 'empty' }, words.adviceEmpty)]));
}

// A series by the hour as 24 rows, one an hour of the day; those of nothing are left out.
export function hoursOfDay(series: Json[], zoneMs: number): Json[] {
  const rows = new Map<number, Record<string, number>>();
  for (const point of series) {
    const hour = Math.floor(((numberOf(point.ts_ms) + zoneMs) % kDayMs) / kHourMs);
    const row = rows.get(hour) ?? {};
    for (const name of kItemColumns) row[name] = (row[name] ?? 0) + (numberOf(point[name]) || 0);
    rows.set(hour, row);
  }
  return [...rows]
    .sort(([a], [b]) => a - b)
    .map(([hour, row]) => ({ key: `${String(hour).padStart(2, '0')}:00`, ...row }));
}

export function renderSeries(
  table: Element,
  points: Point[],
  step: string,
  lang: Lang,
  words: Words,
): void {
  const head = [words.time, ...kSeriesColumns.map((name) => words[name])];
  const rows = points.map((point) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, bucket(point.ts_ms, step, lang, true)),
      ...kSeriesColumns.map((name) => h('td', {}, count(point[name]))),
    ),
  );
  morph(
    table,
    h('thead', {}, h('tr', {}, ...head.map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, ...rows),
  );
}

// Most seen first; ties by key, so that a refresh does not shuffle.
function bySeen(a: Json, b: Json): number {
  const more = (name: string) => (numberOf(b[name]) || 0) - (numberOf(a[name]) || 0);
  return more('viewable') || more('served') || (String(a.key) < String(b.key) ? -1 : 1);
}

// What a row is called: an item by its title, a surface by its word, the rest by its key.
function rowName(group: Json, by: string, words: Words): string {
  if (typeof group.title === 'string' && group.title !== '') return group.title;
  const key = String(group.key);
  if (key === '') return words.none;
  if (by === 'county' && key === 'other') return words.few;
  if (by === 'county' && isCounty832(key)) return countyName(key);
  return by === 'surface' ? known(words.surface, key) : key;
}

function itemRow(group: Json, by: string, words: Words): HTMLElement {
  const shownName = rowName(group, by, words);
  const name = h('th', { scope: 'row' }, h('bdi', {}, shownName));
  if (typeof group.title === 'string' && group.title === shownName)
    name.append(h('bdi', { className: 'key' }, String(group.key)));
  for (const label of textsOf(group.labels)) {
    name.append(h('span', { className: 'label' }, known(words.label, label)));
  }
  name.setAttribute('role', 'rowheader');
  const cells = kItemColumns.map((column) => {
    const cell = h('td', {}, shown(column, group[column], words));
    cell.dataset.label = words[column];
    cell.setAttribute('role', 'cell');
    return cell;
  });
  const row = h('tr', {}, name, ...cells);
  row.setAttribute('role', 'row');
  return row;
}

// The roles are spelled out because on a phone the rows are laid out as blocks, which would strip
// the table of its own.
export function renderItems(
  table: Element,
  groups: Json[],
  { all, by }: { all: boolean; by: string },
  words: Words,
): void {
  const sorted = by === 'hour' ? groups : [...groups].sort(bySeen);
  const head = h(
    'tr',
    {},
    ...[known(words.by, by), ...kItemColumns.map((name) => words[name])].map((text) => {
      const cell = h('th', { scope: 'col' }, text);
      cell.setAttribute('role', 'columnheader');
      return cell;
    }),
  );
  head.setAttribute('role', 'row');
  const thead = h('thead', {}, head);
  const tbody = h(
    'tbody',
    {},
    ...(all ? sorted : sorted.slice(0, kItemsFirst)).map((group) => itemRow(group, by, words)),
  );
  for (const part of [thead, tbody]) part.setAttribute('role', 'rowgroup');
  morph(table, thead, tbody);
}

export function itemsAreCut(groups: Json[], all: boolean): boolean {
  return !all && groups.length > kItemsFirst;
}

interface Guarantee {
  program: string;
  goal: number;
  delivered: number;
  pace: number;
}

function paceWord({ goal, delivered, pace }: Guarantee, words: Words): [string, string] {
  if (goal > 0 && delivered >= goal) return ['done', words.paceDone];
  if (!Number.isFinite(pace)) return ['none', ''];
  if (pace >= kPaceGood) return ['good', words.paceGood];
  return pace >= kPaceSlow ? ['slow', words.paceSlow] : ['late', words.paceLate];
}

function guaranteeRow(guarantee: Guarantee, words: Words): HTMLElement {
  const { program, goal, delivered, pace } = guarantee;
  const [state, word] = paceWord(guarantee, words);
  const name = h('bdi', { className: 'name' }, String(program));
  const bar = h('progress', {
    max: goal > 0 ? goal : 1,
    value: Math.max(0, Number(delivered) || 0),
  });
  bar.setAttribute('aria-label', `${program}: ${words.delivered(count(delivered), count(goal))}`);
  const row = h(
    'li',
    { className: `guarantee ${state}` },
    h('div', { className: 'line' }, name, h('span', { className: 'chip' }, word)),
    bar,
    h(
      'div',
      { className: 'line hint' },
      h('span', { className: 'delivered' }, words.delivered(count(delivered), count(goal))),
      h('span', {}, Number.isFinite(pace) ? words.pace(share(pace)) : ''),
    ),
  );
  row.dataset.program = String(program);
  return row;
}

export function renderGuarantees(list: Element, guarantees: Json[], words: Words): void {
  const rows = guarantees.map((one) =>
    guaranteeRow(
      {
        program: String(one.program),
        goal: numberOf(one.goal),
        delivered: numberOf(one.delivered),
        pace: numberOf(one.pace),
      },
      words,
    ),
  );
  morph(list, ...(rows.length ? rows : [h('li', { className: 'empty' }, words.guaranteesEmpty)]));
}

export function renderReasons(list: Element, notShown: Json[], words: Words): void {
  const rows = notShown.map(({ reason, share: part }) => {
    const text = known(words.reason, reason);
    const todo = known(words.todo, reason);
    const bar = h('progress', { max: 1, value: Math.min(1, Math.max(0, Number(part) || 0)) });
    bar.setAttribute('aria-label', text);
    return h(
      'li',
      { className: 'reason' },
      h('div', { className: 'line' }, h('bdi', {}, text), h('span', {}, share(part))),
      bar,
      todo === String(reason) ? '' : h('p', { className: 'hint' }, todo),
    );
  });
  morph(list, ...(rows.length ? rows : [h('li', { className: 'empty' }, words.reasonsEmpty)]));
}
