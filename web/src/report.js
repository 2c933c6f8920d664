// One exposure answer as DOM. Every text from outside goes in as a text node, so there is nothing
// to escape; bars are <progress>, so a strict CSP holds.
import { bucket, count, share, yuan } from './format.js';

const kItemsFirst = 10; // rows before "show all"
const kItemColumns = ['served', 'viewable', 'clicks', 'orders', 'amount_fen'];
const kSeriesColumns = ['served', 'viewable', 'boosted_viewable'];

// Paces from which a guarantee counts as fine, and as only a little slow.
const kPaceGood = 0.95;
const kPaceSlow = 0.8;

// node('td', {className: 'x'}, 'text' or nodes...)
function node(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// A word of a closed list, or what came when the list does not know it. Own keys only:
// "constructor" is no reason.
function known(table, key) {
  return Object.prototype.hasOwnProperty.call(table, key) ? table[key] : String(key);
}

function shown(name, value) {
  return name === 'amount_fen' ? yuan(value) : count(value);
}

// Long numbers in smaller type, so that 9 digits stand on one line of a 360 px screen.
function sizeOf(value) {
  if (value.length <= 9) return '';
  return value.length <= 13 ? 'long' : 'longer';
}

function tile(name, value, label, hint) {
  const box = node(
    'div',
    { className: 'tile' },
    node('dt', {}, label),
    node('dd', { className: `value ${sizeOf(value)}` }, value),
    node('dd', { className: 'hint' }, hint),
  );
  box.dataset.total = name;
  return box;
}

export function renderTotals(element, totals, words) {
  const tiles = ['served', 'viewable', 'unique_viewers', 'clicks', 'orders', 'amount_fen'].map(
    (name) => tile(name, shown(name, totals[name]), words[name], words[`${name}Hint`]),
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
  if (extra && Number.isFinite(extra.value)) {
    const hint = words.incremental_ordersHint(count(extra.low), count(extra.high));
    tiles.push(tile('incremental_orders', count(extra.value), words.incremental_orders, hint));
  }
  element.replaceChildren(...tiles);
}

export function renderSeries(table, points, step, lang, words) {
  const head = [words.time, ...kSeriesColumns.map((name) => words[name])];
  const rows = points.map((point) =>
    node(
      'tr',
      {},
      node('th', { scope: 'row' }, bucket(point.ts_ms, step, lang, true)),
      ...kSeriesColumns.map((name) => node('td', {}, count(point[name]))),
    ),
  );
  table.replaceChildren(
    node('thead', {}, node('tr', {}, ...head.map((text) => node('th', { scope: 'col' }, text)))),
    node('tbody', {}, ...rows),
  );
}

// Most seen first; ties by key, so that a refresh does not shuffle.
function bySeen(a, b) {
  return (
    (b.viewable ?? 0) - (a.viewable ?? 0) ||
    (b.served ?? 0) - (a.served ?? 0) ||
    (String(a.key) < String(b.key) ? -1 : 1)
  );
}

function itemRow(group, words) {
  const title = typeof group.title === 'string' && group.title !== '' ? group.title : null;
  const name = node('th', { scope: 'row' }, node('bdi', {}, title ?? String(group.key)));
  if (title !== null) name.append(node('bdi', { className: 'key' }, String(group.key)));
  name.setAttribute('role', 'rowheader');
  const cells = kItemColumns.map((column) => {
    const cell = node('td', {}, shown(column, group[column]));
    cell.dataset.label = words[column];
    cell.setAttribute('role', 'cell');
    return cell;
  });
  const row = node('tr', {}, name, ...cells);
  row.setAttribute('role', 'row');
  return row;
}

// The roles are spelled out because on a phone the rows are laid out as blocks, which would strip
// the table of its own.
export function renderItems(table, groups, all, words) {
  const sorted = [...groups].sort(bySeen);
  const head = node(
    'tr',
    {},
    ...['item', ...kItemColumns].map((name) => {
      const cell = node('th', { scope: 'col' }, words[name]);
      cell.setAttribute('role', 'columnheader');
      return cell;
    }),
  );
  head.setAttribute('role', 'row');
  const thead = node('thead', {}, head);
  const tbody = node(
    'tbody',
    {},
    ...(all ? sorted : sorted.slice(0, kItemsFirst)).map((group) => itemRow(group, words)),
  );
  for (const part of [thead, tbody]) part.setAttribute('role', 'rowgroup');
  table.replaceChildren(thead, tbody);
}

export function itemsAreCut(groups, all) {
  return !all && groups.length > kItemsFirst;
}

function paceWord({ goal, delivered, pace }, words) {
  if (goal > 0 && delivered >= goal) return ['done', words.paceDone];
  if (!Number.isFinite(pace)) return ['none', ''];
  if (pace >= kPaceGood) return ['good', words.paceGood];
  return pace >= kPaceSlow ? ['slow', words.paceSlow] : ['late', words.paceLate];
}

function guaranteeRow(guarantee, words) {
  const { program, goal, delivered, pace } = guarantee;
  const [state, word] = paceWord(guarantee, words);
  const name = node('bdi', { className: 'name' }, String(program));
  const bar = node('progress', {
    max: goal > 0 ? goal : 1,
    value: Math.max(0, Number(delivered) || 0),
  });
  bar.setAttribute('aria-label', `${program}: ${words.delivered(count(delivered), count(goal))}`);
  const row = node(
    'li',
    { className: `guarantee ${state}` },
    node('div', { className: 'line' }, name, node('span', { className: 'chip' }, word)),
    bar,
    node(
      'div',
      { className: 'line hint' },
      node('span', { className: 'delivered' }, words.delivered(count(delivered), count(goal))),
      node('span', {}, Number.isFinite(pace) ? words.pace(share(pace)) : ''),
    ),
  );
  row.dataset.program = String(program);
  return row;
}

export function renderGuarantees(list, guarantees, words) {
  const rows = guarantees.map((guarantee) => guaranteeRow(guarantee, words));
  list.replaceChildren(
    ...(rows.length ? rows : [node('li', { className: 'empty' }, words.guaranteesEmpty)]),
  );
}

export function renderReasons(list, notShown, words) {
  const rows = notShown.map(({ reason, share: part }) => {
    const text = known(words.reason, reason);
    const bar = node('progress', { max: 1, value: Math.min(1, Math.max(0, Number(part) || 0)) });
    bar.setAttribute('aria-label', text);
    return node(
      'li',
      { className: 'reason' },
      node('div', { className: 'line' }, node('bdi', {}, text), node('span', {}, share(part))),
      bar,
    );
  });
  list.replaceChildren(
    ...(rows.length ? rows : [node('li', { className: 'empty' }, words.reasonsEmpty)]),
  );
}
