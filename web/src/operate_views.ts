// What the operators' page shows, as nodes made of a World: pure functions but for the document.
// Buttons carry data-action and data-id; operate.ts listens. Shapes are SVG with attributes alone.
import { h, known, svg } from './dom.js';
import { type Lang, count, moment, share } from './format.js';
import type {
  Change,
  Experiment,
  Goal,
  Health,
  Name,
  Program,
  Variation,
  World,
} from './operate_model.js';
import { nameIn, stateOf } from './operate_model.js';
import { rampBlock, spokenChange } from './operate_changes.js';
import type { Words } from './operate_words.js';

const kPaceGood = 0.95;
const kPaceSlow = 0.8;

export interface View {
  words: Words;
  lang: Lang;
}

const rounded = (value: number): string => count(Math.round(value));
const fixed = (value: number, digits: number): string => count(Number(value.toFixed(digits)));

// A switch that says what it is and what it is for.
function toggle(kind: string, id: string, label: string, isOn: boolean, { words }: View) {
  return h(
    'button',
    {
      type: 'button',
      className: 'switch',
      role: 'switch',
      'aria-checked': String(isOn),
      'aria-label': label,
      'data-action': 'toggle',
      'data-kind': kind,
      'data-id': id,
    },
    h('span', { className: 'knob', 'aria-hidden': 'true' }),
    h('span', {}, isOn ? words.on : words.off),
  );
}

function chip(state: string, { words }: View): HTMLElement {
  return h('span', { className: `chip is-${state}` }, known(words.state, state));
}

function head(id: string, name: Name, chips: HTMLElement[], control: HTMLElement, view: View) {
  return h(
    'div',
    { className: 'head' },
    h(
      'div',
      {},
      h('h3', {}, h('bdi', {}, nameIn(name, view.lang))),
      h('p', { className: 'hint' }, h('bdi', {}, id)),
      h('div', { className: 'chips' }, ...chips),
    ),
    control,
  );
}

function refusedList(refused: string[]): HTMLElement[] {
  if (refused.length === 0) return [];
  return [h('ul', { className: 'code alarm' }, ...refused.map((text) => h('li', {}, text)))];
}

function paceClass(goal: Goal): string {
  if (goal.target > 0 && goal.delivered >= goal.target) return 'done';
  if (!Number.isFinite(goal.pace)) return 'none';
  if (goal.pace >= kPaceGood) return 'good';
  return goal.pace >= kPaceSlow ? 'slow' : 'late';
}

// Delivered as a bar, what is due by now as a tick, the forecast's interval as a whisker, the
// target as a line, on one scale.
function goalChart(goal: Goal, { words }: View): SVGElement {
  const { value, low, high } = goal.forecast;
  const most = Math.max(1, goal.target, high || 0, goal.delivered || 0) * 1.02;
  const x = (amount: number) => (100 * Math.max(0, amount || 0)) / most;
  const label = words.forecastChart(
    rounded(value),
    rounded(low),
    rounded(high),
    rounded(goal.target),
  );
  const line = (at: number, y1: number, y2: number, name: string) =>
    svg('line', { x1: at, x2: at, y1, y2, class: name });
  return svg(
    'svg',
    { class: 'goal-chart', viewBox: '0 0 100 16', preserveAspectRatio: 'none', role: 'img' },
    svg('title', {}, label),
    svg('rect', { x: 0, y: 1, width: 100, height: 6, class: 'track' }),
    svg('rect', { x: 0, y: 1, width: x(goal.delivered), height: 6, class: 'delivered' }),
    line(x(goal.curve * goal.target), 0, 8, 'due'),
    svg('rect', { x: x(low), y: 11, width: x(high) - x(low), height: 3, class: 'interval' }),
    line(x(value), 10, 15, 'value'),
    line(x(goal.target), 0, 16, 'target'),
  );
}

export function unitOf(goal: { unit: string; per: string }, words: Words): string {
  const unit = known(words.unit, goal.unit);
  return goal.per === 'day' ? `${unit} ${words.perDay}` : unit;
}

function goalBlock(goal: Goal, view: View): HTMLElement {
  const { words } = view;
  const { value, low, high } = goal.forecast;
  const amount = words.goalLine(rounded(goal.delivered), rounded(goal.target));
  const facts = [
    words.due(share(goal.curve)),
    words.pace(share(goal.pace)),
    words.inFlight(rounded(goal.inFlight)),
    words.price(fixed(goal.price, 2)),
    words.forecast(rounded(value), rounded(low), rounded(high)),
  ];
  const causes = goal.shortfall
    .filter(({ share: part }) => part > 0)
    .map(({ cause, share: part }) => h('li', {}, `${known(words.cause, cause)} ${share(part)}`));
  const short = goal.shortBy >= 1;
  return h(
    'div',
    { className: `goal ${paceClass(goal)}` },
    h(
      'div',
      { className: 'line' },
      h('span', { className: 'name' }, unitOf(goal, words)),
      h('span', { className: 'amount' }, amount),
    ),
    goalChart(goal, view),
    h('ul', { className: 'facts' }, ...facts.map((text) => h('li', {}, text))),
    ...(short ? [h('p', { className: 'short' }, words.shortBy(rounded(goal.shortBy)))] : []),
    ...(short && causes.length ? [h('ul', { className: 'facts causes' }, ...causes)] : []),
  );
}

function cardButton(action: string, kind: string, id: string, text: string): HTMLElement {
  const asks = { type: 'button', 'data-action': action, 'data-kind': kind, 'data-id': id };
  return h('button', asks, text);
}

// What viewers see on its items: that it is an ad, or for the public good.
function labelChip({ kind, text }: { kind: string; text: Name }, { words, lang }: View) {
  const said = `${known(words.changes.label, kind)}: ${nameIn(text, lang)}`;
  return h('span', { className: 'chip is-label', 'data-label-kind': kind }, h('bdi', {}, said));
}

export function programCard(program: Program, now: number, view: View): HTMLElement {
  const { words, lang } = view;
  const name = nameIn(program.name, lang);
  const chips = [
    chip(stateOf(program, now), view),
    ...(program.urgent ? [h('span', { className: 'chip is-urgent' }, words.urgent)] : []),
    h('span', { className: 'chip' }, words.priority(count(program.priority))),
    ...(program.label ? [labelChip(program.label, view)] : []),
  ];
  const control = toggle('program', program.id, name, program.enabled, view);
  return h(
    'li',
    { className: 'card', 'data-key': program.id, 'data-program': program.id },
    head(program.id, program.name, chips, control, view),
    h('p', { className: 'hint' }, `${moment(program.start, lang)} – ${moment(program.end, lang)}`),
    ...refusedList(program.refused),
    ...program.goals.map((goal) => goalBlock(goal, view)),
    cardButton('history', 'program', program.id, words.history),
  );
}

const setsOf = (variation: Variation, words: Words): string =>
  variation.set.join(', ') || words.setsNothing;

function variationRow(variation: Variation, most: number, view: View): HTMLElement {
  const bar = h('progress', {
    max: Math.max(1, most),
    value: variation.exposures || 0,
    'aria-label': view.words.exposures,
  });
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, h('bdi', {}, variation.key)),
    h('td', {}, share(variation.weight)),
    h('td', {}, count(variation.exposures), bar),
    h('td', { className: 'code' }, setsOf(variation, view.words)),
  );
}

function alarmLines({ alarm }: Experiment, { words }: View): HTMLElement[] {
  if (alarm === null) return [];
  return [
    h('p', { className: 'short' }, known(words.results.alarm, alarm.kind)),
    h('p', { className: 'hint', lang: 'en' }, alarm.why),
  ];
}

function experimentFacts(experiment: Experiment, { words, lang }: View): string[] {
  const { low, high, coverage, start, end } = experiment;
  const scheduled = Number.isFinite(start) || Number.isFinite(end);
  return [
    words.range(share(low), share(high)),
    words.coverage(share(coverage)),
    ...(scheduled ? [words.changes.schedule(moment(start, lang), moment(end, lang))] : []),
  ];
}

export function experimentCard(experiment: Experiment, view: View): HTMLElement {
  const { words, lang } = view;
  const name = nameIn(experiment.name, lang);
  const chips = [
    chip(experiment.state, view),
    ...(experiment.holdout ? [h('span', { className: 'chip' }, words.holdout)] : []),
    h('span', { className: 'chip' }, words.layer(experiment.layer)),
  ];
  const most = Math.max(...experiment.variations.map((v) => v.exposures || 0), 0);
  const columns = [words.variation, words.weight, words.exposures, words.sets];
  return h(
    'li',
    { className: 'card', 'data-key': experiment.id, 'data-experiment': experiment.id },
    head(
      experiment.id,
      experiment.name,
      chips,
      toggle('experiment', experiment.id, name, experiment.enabled, view),
      view,
    ),
    h(
      'ul',
      { className: 'facts' },
      ...experimentFacts(experiment, view).map((text) => h('li', {}, text)),
    ),
    ...refusedList(experiment.refused),
    ...alarmLines(experiment, view),
    h(
      'div',
      { className: 'scroll', tabindex: 0, role: 'region', 'aria-label': name },
      h(
        'table',
        { className: 'variations' },
        h('thead', {}, h('tr', {}, ...columns.map((text) => h('th', { scope: 'col' }, text)))),
        h('tbody', {}, ...experiment.variations.map((one) => variationRow(one, most, view))),
      ),
    ),
    ...(experiment.ramp ? [rampBlock(experiment, experiment.ramp, lang, words.changes)] : []),
    h(
      'div',
      { className: 'buttons start' },
      cardButton('results', 'experiment', experiment.id, words.results.show),
      cardButton('history', 'experiment', experiment.id, words.history),
    ),
  );
}

// Each layer as a line from 0 to 1 with the ranges of its experiments on it.
export function layerCharts(experiments: Experiment[], view: View): HTMLElement[] {
  const layers = new Map<string, Experiment[]>();
  for (const one of experiments) layers.set(one.layer, [...(layers.get(one.layer) ?? []), one]);
  return [...layers].map(([layer, members]) => {
    const parts = members.map(
      ({ id, low, high }) => `${id} ${view.words.range(share(low), share(high))}`,
    );
    return h(
      'div',
      { className: 'card layer', 'data-key': layer },
      h('div', { className: 'line' }, h('bdi', { className: 'name' }, view.words.layer(layer))),
      svg(
        'svg',
        { class: 'layer-chart', viewBox: '0 0 100 8', preserveAspectRatio: 'none', role: 'img' },
        svg('title', {}, view.words.layerLabel(layer, parts.join(', '))),
        svg('rect', { x: 0, y: 1, width: 100, height: 6, class: 'track' }),
        ...members.map(({ low, high, enabled }) =>
          svg('rect', {
            x: 100 * (low || 0),
            y: 1,
            width: Math.max(0, 100 * ((high || 0) - (low || 0)) - 0.3),
            height: 6,
            class: enabled ? 'taken' : 'kept',
          }),
        ),
      ),
      h('ul', { className: 'facts' }, ...parts.map((text) => h('li', {}, h('bdi', {}, text)))),
    );
  });
}

export function healthBlock(world: World, view: View): HTMLElement[] {
  const { words } = view;
  const health: Health = world.health;
  const list = health.degraded.map(([stage, n]) => `${stage} ${count(n)}`).join(', ');
  const facts = [
    words.pages(count(health.requests)),
    words.insertions(count(health.inserted)),
    words.p99(fixed(health.p99Ms, 1)),
    words.lag(count(health.lag)),
    words.loss(share(health.loss)),
  ];
  const isOn = world.boosting.enabled;
  return [
    h(
      'div',
      { className: 'head' },
      h('div', {}, h('h3', {}, words.boosting)),
      toggle('boosting', 'all', words.boosting, isOn, view),
    ),
    ...(isOn ? [] : [h('p', { className: 'short', id: 'boosting-off' }, words.boostingOff)]),
    h('ul', { className: 'facts' }, ...facts.map((text) => h('li', {}, text))),
    h(
      'p',
      { id: 'degraded', className: list === '' ? 'hint' : 'short' },
      list === '' ? words.healthy : words.degraded(list),
    ),
  ];
}

function changeLines(change: Change, { words, lang }: View): HTMLElement[] {
  const { said, detail } = spokenChange(change, words.changes);
  return [
    h('div', { className: 'line' }, h('bdi', {}, said)),
    ...(detail === '' ? [] : [h('p', { className: 'hint code', lang: 'en' }, detail)]),
    h('p', { className: 'hint' }, `${moment(change.at, lang)} · ${change.to}`),
  ];
}

// What became of a thing, newest first; each change of an experiment can be looked at.
export function historyList(kind: string, id: string, changes: Change[], view: View): HTMLElement {
  const { words } = view;
  if (changes.length === 0) return h('p', { className: 'empty' }, words.historyEmpty);
  const button = (action: string, to: string, from: string, text: string) =>
    h(
      'button',
      {
        type: 'button',
        'data-action': action,
        'data-id': id,
        'data-to': to,
        'data-from': from,
      },
      text,
    );
  return h(
    'ol',
    { className: 'rows history' },
    ...changes.map((change, index) =>
      h(
        'li',
        {},
        ...changeLines(change, view),
        ...(kind === 'experiment'
          ? [
              h(
                'div',
                { className: 'buttons' },
                button('diff', change.to, change.from, words.showDiff),
                ...(index === 0 || change.to === ''
                  ? []
                  : [button('revert', change.to, '', words.revert)]),
              ),
            ]
          : []),
      ),
    ),
  );
}

// Who takes part in a variation, and what it sets.
export function variationLines(experiment: Experiment, { words }: View): HTMLElement {
  const part = experiment.coverage * (experiment.high - experiment.low);
  return h(
    'ul',
    { className: 'plain' },
    ...experiment.variations.map((one) =>
      h('li', {}, words.variationLine(one.key, share(part * one.weight), setsOf(one, words))),
    ),
  );
}
