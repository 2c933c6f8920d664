// One exposure answer as DOM. Every text from outside goes in as a text node, so there is nothing
// to escape; bars are <progress>, so a strict CSP holds.
import { type Json, isObject, numberOf } from './api.js';
import type { Point } from './chart.js';
import { h, known, morph } from './dom.js';
import { type Lang, bucket, count, share, yuan } from './format.js';
import type { Words } from './words.js';

const kItemsFirst = 10; // rows before "show all"
const kTiles = ['served', 'viewable', 'unique_viewers', 'clicks', 'orders', 'amount_fen'] as const;
const kItemColumns = ['served', 'viewable', 'clicks', 'orders', 'amount_fen'] as const;
const kSeriesColumns = ['served', 'viewable', 'boosted_viewable'] as const;

// Paces from which a guarantee counts as fine, and as only a little slow.
const kPaceGood = 0.95;
const kPaceSlow = 0.8;

function shown(name: string, value: unknown): string {
  return name === 'amount_fen' ? yuan(value) : count(value);
}

// Long numbers in smaller type, so that 9 digits stand on one line of a 360 px screen.
function sizeOf(value: string): string {
  if (value.length <= 9) return '';
  return value.length <= 13 ? 'long' : 'longer';
}

function tile(name: string, value: string, label: string, hint: string): HTMLElement {
  const box = h(
    'div',
    { className: 'tile' },
    h('dt', {}, label),
    h('dd', { className: `value ${sizeOf(value)}` }, value),
    h('dd', { className: 'hint' }, hint),
  );
  box.dataset.total = name;
  return box;
}

export function renderTotals(element: Element, totals: Json, words: Words): void {
  const tiles = kTiles.map((name) =>
    tile(name, shown(name, totals[name]), words[name], words[`${name}Hint` as const]),
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
  morph(table, 
    h('thead', {}, h('tr', {}, ...head.map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, ...rows),
  );
}

// Most seen first; ties by key, so that a refresh does not shuffle.
function bySeen(a: Json, b: Json): number {
  const more = (name: string) => (numberOf(b[name]) || 0) - (numberOf(a[name]) || 0);
  return (
    more('viewable') ||
    more('served') ||
    (String(a.key) < String(b.key) ? -1 : 1)
  );
}

// What a row is called: an item by its title, a surface by its word, the rest by its key.
function rowName(group: Json, by: string, words: Words): string {
  if (typeof group.title === 'string' && group.title !== '') return group.title;
  const key = String(group.key);
  if (key === '') return words.none;
  if (by === 'county' && key === 'other') return words.few;
  return by === 'surface' ? known(words.surface, key) : key;
}

function itemRow(group: Json, by: string, words: Words): HTMLElement {
  const shownName = rowName(group, by, words);
  const name = h('th', { scope: 'row' }, h('bdi', {}, shownName));
  if (typeof group.title === 'string' && group.title === shownName)
    name.append(h('bdi', { className: 'key' }, String(group.key)));
  name.setAttribute('role', 'rowheader');
  const cells = kItemColumns.map((column) => {
    const cell = h('td', {}, shown(column, group[column]));
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
  const sorted = [...groups].sort(bySeen);
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
  morph(list, 
    ...(rows.length ? rows : [h('li', { className: 'empty' }, words.guaranteesEmpty)]),
  );
}

export function renderReasons(list: Element, notShown: Json[], words: Words): void {
  const rows = notShown.map(({ reason, share: part }) => {
    const text = known(words.reason, reason);
    const bar = h('progress', { max: 1, value: Math.min(1, Math.max(0, Number(part) || 0)) });
    bar.setAttribute('aria-label', text);
    return h(
      'li',
      { className: 'reason' },
      h('div', { className: 'line' }, h('bdi', {}, text), h('span', {}, share(part))),
      bar,
    );
  });
  morph(list, 
    ...(rows.length ? rows : [h('li', { className: 'empty' }, words.reasonsEmpty)]),
  );
}
