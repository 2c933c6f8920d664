// Changes in plain words: one that is tried on recorded requests before it is made (POST
// ...:dry_run), the steps of a ramp, and what the history says ("enabled: true -> false; ...").
import { type Json, isObject, numberOf, objectsOf, textOf } from './api.js';
import type { DiffLine } from './diff.js';
import { h, known } from './dom.js';
import { type Lang, count, moment, share, significant } from './format.js';
import type { ChangeWords } from './operate_change_words.js';
import type { Change, Experiment, Ramp } from './operate_model.js';

const kProgramsShown = 8;

interface Side {
  inserted: number;
  loss: number;
  p50: number;
  p99: number;
}

const sideOf = (value: unknown): Side => {
  const one = isObject(value) ? value : {};
  return {
    inserted: numberOf(one.inserted_per_page),
    loss: numberOf(one.loss_ratio),
    p50: numberOf(one.p50_ms),
    p99: numberOf(one.p99_ms),
  };
};

function row(name: string, before: string, after: string): HTMLElement {
  const cells = [before, after].map((text) => h('td', {}, text));
  return h('tr', {}, h('th', { scope: 'row' }, name), ...cells);
}

function table(id: string, heads: string[], rows: HTMLElement[]): HTMLElement {
  const head = h('tr', {}, ...heads.map((text) => h('th', { scope: 'col' }, text)));
  return h('table', { id, className: 'tried' }, h('thead', {}, head), h('tbody', {}, ...rows));
}

// Of programs that get more or fewer insertions, those with the largest change first.
function deliveryTable(answer: Json, w: ChangeWords): HTMLElement[] {
  const programs = objectsOf(answer.programs)
    .map((one) => {
      const [from, to] = [numberOf(one.inserted_before), numberOf(one.inserted_after)];
      return { id: textOf(one.program), from, to };
    })
    .filter(({ from, to }) => from !== to)
    .sort((a, b) => Math.abs(b.to - b.from) - Math.abs(a.to - a.from))
    .slice(0, kProgramsShown);
  if (programs.length === 0) return [h('p', { className: 'hint' }, w.sameDelivery)];
  const rows = programs.map(({ id, from, to }) => row(id, count(from), count(to)));
  return [table('tried-programs', [w.delivery, w.before, w.after], rows)];
}

// What POST ...:dry_run has answered.
export function triedView(answer: Json, w: ChangeWords): HTMLElement[] {
  const [before, after] = [sideOf(answer.before), sideOf(answer.after)];
  const line = (name: string, of: (side: Side) => string) => row(name, of(before), of(after));
  const none = significant(0);
  const rows = [
    line(w.insertedPerPage, ({ inserted }) => significant(inserted)),
    line(w.loss, ({ loss }) => share(loss)),
    row(w.moved, none, significant(numberOf(answer.organic_moved_per_page))),
    row(w.leftOut, none, significant(numberOf(answer.organic_left_out_per_page))),
    line(w.p50, ({ p50 }) => significant(p50)),
    line(w.p99, ({ p99 }) => significant(p99)),
  ];
  return [
    h('h3', {}, w.tried(count(answer.requests), share(answer.pages_changed))),
    table('tried', [w.what, w.before, w.after], rows),
    ...deliveryTable(answer, w),
    h('p', { className: 'hint' }, w.triedHint, ...(answer.complete === false ? [w.triedCut] : [])),
  ];
}

// Where a ramp stands, what holds it, and what an operator may do about it.
export function rampBlock(experiment: Experiment, ramp: Ramp, lang: Lang, w: ChangeWords) {
  const now = share(experiment.coverage);
  const facts = [
    Number.isFinite(ramp.next) ? w.rampAt(now, share(ramp.next)) : w.rampLast(now),
    w.rampSteps(ramp.steps.map((step) => share(step)).join(' → ')),
    ...(ramp.state === 'waits' ? [w.rampDue(moment(ramp.due, lang))] : []),
    w.rampViewers(count(ramp.viewersMin)),
    ...(Number.isFinite(ramp.approveAt) ? [w.rampApproveAt(share(ramp.approveAt))] : []),
    ...(ramp.approvedBy === '' ? [] : [w.rampApproved(ramp.approvedBy)]),
  ];
  const button = (action: string, text: string) =>
    h('button', { type: 'button', 'data-action': action, 'data-id': experiment.id }, text);
  const buttons = [
    ...(ramp.state === 'approval' ? [button('approve', w.approve)] : []),
    ...(ramp.state === 'done' ? [] : [button(...rampSwitch(ramp, w))]),
  ];
  const holds = ['stale', 'thin', 'sample_ratio', 'guardrail', 'approval', 'held'];
  const className = holds.includes(ramp.state) ? 'short' : 'hint';
  return h(
    'div',
    { className: 'ramp', 'data-ramp': ramp.state },
    h('h4', {}, w.ramp),
    h('p', { className }, known(w.rampState, ramp.state)),
    h('p', { className: 'hint', lang: 'en' }, ramp.why),
    h('ul', { className: 'facts' }, ...facts.map((text) => h('li', {}, text))),
    h('div', { className: 'buttons' }, ...buttons),
  );
}

const rampSwitch = ({ state }: Ramp, w: ChangeWords): [string, string] =>
  state === 'held' ? ['go', w.go] : ['hold', w.hold];

// A step of the history: "key: from -> to", several after semicolons, then what the engine adds.
const kDifference = /(?:^|; )([a-z_]+): (.*?) -> (.*?)(?=; |$)/g;

function spokenDifference(key: string, from: string, to: string, w: ChangeWords): string {
  if (key === 'enabled' && from !== to) return to === 'false' ? w.switchedOff : w.switchedOn;
  const [before, after] = [Number(from), Number(to)];
  const numbers = from !== '' && to !== '' && Number.isFinite(before) && Number.isFinite(after);
  if (key === 'coverage' && numbers) return w.coverage(share(before), share(after));
  if (key === 'priority' && numbers) return w.priority(count(before), count(after));
  return w.changed(known(w.key, key));
}

// What a difference of two YAML texts comes to, by keys of their top level.
export function spokenDiff(lines: DiffLine[], w: ChangeWords): string {
  const changed = new Map<string, { from: string; to: string }>();
  const last = { from: '', to: '' }; // the key that a deeper line belongs to
  for (const { sign, text } of lines) {
    const [, key, value = ''] = /^([a-z_]+):\s*([^#]*)/.exec(text) ?? [];
    if (key !== undefined && sign !== '+') last.from = key;
    if (key !== undefined && sign !== '-') last.to = key;
    const side = sign === '-' ? 'from' : 'to';
    if (sign === ' ' || last[side] === '' || /^\s*(#|$)/.test(text)) continue;
    const found = changed.get(last[side]) ?? { from: '', to: '' };
    if (key !== undefined) found[side] = value.trim();
    changed.set(last[side], found);
  }
  const spoken = [...changed].map(([key, { from, to }]) => spokenDifference(key, from, to, w));
  return [...new Set(spoken)].join(w.semicolon);
}

// Who did what, in words; `detail` is what the engine wrote, where it says more.
export function spokenChange(change: Change, w: ChangeWords): { said: string; detail: string } {
  const by = (said: string) => `${known(w.who, change.who)}${w.semicolon}${said}`;
  if (change.from === '' && change.to !== '') return { said: by(w.created), detail: '' };
  if (change.what === 'deleted') return { said: by(w.deleted), detail: '' };
  if (change.what === 'ramp approved') return { said: by(w.approved), detail: '' };
  const held = /^ramp holds: ([a-z_]+), (.*)$/.exec(change.what);
  if (held) return { said: known(w.rampState, held[1]), detail: held[2] ?? '' };
  const parts = [...change.what.matchAll(kDifference)];
  if (parts.length === 0) return { said: by(change.what), detail: '' };
  const spoken = parts.map(([, key, from, to]) =>
    spokenDifference(key ?? '', from ?? '', to ?? '', w),
  );
  const isAll = parts.map(([text]) => text).join('') === change.what;
  const isPlain = parts.every(([, key]) => ['enabled', 'coverage', 'priority'].includes(key ?? ''));
  const said = by([...new Set(spoken)].join(w.semicolon));
  return { said, detail: isAll && isPlain ? '' : change.what };
}
