// A small engine for the operators' page: programs, experiments, the switch and health from values
// that a test may change, revisions that are checked, changes that are kept. On demand it sheds
// load, drops the line or lets somebody else be faster.
import { answerJson, fails, problem, servePages } from './fake_pages.mjs';

export const kOperatorToken = 'tok-Op3r4t0r';
const kNow = Date.UTC(2026, 10, 11, 4);

const goal = (more) => ({
  unit: 'viewable',
  per: 'total',
  target: 130000,
  delivered: 65000,
  in_flight: 120,
  cap: 136000,
  curve: 0.52,
  pace: 0.96,
  price: 0.8,
  forecast: { value: 128000, low: 121000, high: 134000 },
  short_by: 2000,
  shortfall: [
    { cause: 'frequency_capped', share: 0.6, pages: 60, viewable: 60 },
    { cause: 'constructor', share: 0.4, pages: 40, viewable: 40 },
  ],
  ...more,
});

const program = (id, zh, en, more) => ({
  id,
  name: { 'zh-CN': zh, en },
  enabled: true,
  blocked: false,
  priority: 100,
  urgent: false,
  revision: `rev-${id}-1`,
  surfaces: ['feed'],
  schedule: { start_ms: kNow - 86_400_000, end_ms: kNow + 86_400_000 },
  inserted: 70000,
  label: { kind: 'public_good', 'zh-CN': '助农好物', en: 'Farm good' },
  goals: [goal({})],
  refused: [],
  history: [],
  ...more,
});

const lift = (value, half, p) => ({ value, low: value - half, high: value + half, p });

// Intervals of one look and of any, `half` wide at one look.
const lifts = (value, half) => ({
  relative: lift(value, half, 0.012),
  relative_sequential: lift(value, half * 1.5, 0.04),
  absolute: lift(value / 10, half / 10, 0.012),
  absolute_sequential: lift(value / 10, half * 0.15, 0.04),
});

const metric = (id, zh, en, { value, half, ...more }) => ({
  metric: id,
  name: { 'zh-CN': zh, en },
  kind: 'ratio',
  better: 'up',
  window_days: 0,
  cap: 0,
  guardrail_limit: 0.05,
  variations: [
    { key: 'control', mean: 0.0523, variance: 0.01 },
    {
      key: 'stronger',
      mean: 0.0523 * (1 + value),
      variance: 0.01,
      lift: lifts(value, half),
      lift_cuped: lifts(value, half * 0.8),
      guardrail: '',
    },
  ],
  ...more,
});

export function freshResults() {
  const results = {
    experiment: 'stronger-boost',
    name: { 'zh-CN': '更强助力', en: 'Stronger boost' },
    revision: 'r2',
    phase: '0f1e2d3c',
    present: true,
    newest_ms: kNow,
    multiple: 3,
    left_out: 0,
    sample_ratio: { p: 0.43, alarm: false },
    variations: [
      { key: 'control', weight: 0.5, viewers: 4021 },
      { key: 'stronger', weight: 0.5, viewers: 3987 },
    ],
    metrics: [
      metric('boosted', '助力曝光', 'Boosted exposures', { value: 0.2, half: 0.06 }),
      metric('ctr', '点击率', 'CTR', { value: -0.01, half: 0.01 }),
    ],
    phases: [
      { phase: '11111111', present: false, viewers: 90, from_ms: kNow - 9e8, to_ms: kNow - 8e8 },
      { phase: '0f1e2d3c', present: true, viewers: 8008, from_ms: kNow - 8e7, to_ms: kNow },
    ],
  };
  results.metrics[1].variations[1].guardrail = 'kept';
  return results;
}

const kRamp = {
  state: 'approval',
  why: 'from 90.0 % on another operator must approve',
  steps: [0.01, 0.25, 0.8, 1],
  since_ms: kNow - 90_000_000,
  next: 1,
  due_ms: kNow - 3_600_000,
  viewers_min: 1000,
  approve_at: 0.9,
  approved_by: '',
};

const kDryRun = {
  requests: 512,
  unreadable: 0,
  complete: true,
  before: { inserted_per_page: 1.5, loss_ratio: 0.012, p50_ms: 0.4, p99_ms: 1 },
  after: { inserted_per_page: 0.75, loss_ratio: 0.006, p50_ms: 0.3, p99_ms: 1.1 },
  pages_changed: 0.25,
  organic_moved_per_page: 0.31,
  organic_left_out_per_page: 0.02,
  programs: [
    { program: 'shibadong-kiwi', inserted_before: 700, inserted_after: 0 },
    { program: 'cold-start', inserted_before: 40, inserted_after: 96 },
    { program: 'same', inserted_before: 5, inserted_after: 5 },
  ],
};

export function freshWorld() {
  return {
    mode: 'ok',
    token: kOperatorToken,
    requests: [],
    faster: false, // somebody else changes the thing just before each write
    boosting: { enabled: true, revision: 'b1', errors: [], history: [] },
    programs: [
      program('shibadong-kiwi', '十八洞猕猴桃', 'Shibadong kiwifruit', {}),
      program('cold-start', '新人起步', 'New creators', {
        enabled: false,
        goals: [goal({ unit: 'click', per: 'day', target: 40, delivered: 3, pace: 0.4 })],
      }),
    ],
    experiments: [
      {
        id: 'stronger-boost',
        name: { 'zh-CN': '更强助力', en: 'Stronger boost' },
        state: 'running',
        enabled: true,
        revision: 'r2',
        layer: 'ranking',
        range: [0, 0.5],
        coverage: 0.8,
        holdout: false,
        schedule: { start_ms: kNow - 86_400_000, end_ms: kNow + 86_400_000 },
        ramp: { ...kRamp },
        variations: [
          { key: 'control', weight: 0.5, exposures: 4021 },
          {
            key: 'stronger',
            weight: 0.5,
            exposures: 3987,
            set: { 'ranking.user_loss_budget': 0.03 },
          },
        ],
        refused: [],
        history: [
          {
            at_ms: kNow - 1000,
            who: 'li',
            what: 'coverage: 0.5 -> 0.8; schedule: none -> {}',
            from: 'r1',
            to: 'r2',
          },
          { at_ms: kNow - 9000, who: 'wang', what: 'id: none -> x', from: '', to: 'r1' },
        ],
      },
    ],
    texts: {
      r1: 'id: stronger-boost\ncoverage: 0.5 # half\nenabled: false\nvariations:\n  - {key: a}\n',
      r2: 'id: stronger-boost\ncoverage: 0.8\nenabled: true\nvariations:\n  - {key: b}\n',
    },
    dryRun: kDryRun, // null: too few requests
    results: freshResults(),
    errors: [],
    degraded: {},
  };
}

const statsOf = (world) => ({
  engine_time_ms: kNow,
  lag_records: 0,
  user_loss_ratio: 0.0123,
  rank: { requests: 1234567, inserted: 98765, p99_ms: 1.25, degraded: world.degraded },
});

// What a merge patch of an experiment or a program may say here.
function merge(thing, { enabled, ramp }) {
  if (enabled !== undefined) thing.enabled = enabled;
  if (ramp !== undefined) thing.ramp.state = ramp.held ? 'held' : 'waits';
}

// Checks the revision, applies `change` to `thing` and answers it.
function write(world, response, thing, body, change) {
  if (world.faster) {
    const from = thing.revision;
    thing.history.unshift({ at_ms: kNow, who: 'zhao', what: 'priority: 1 -> 2', from, to: 'x' });
    thing.revision = `${thing.revision}+`;
  }
  if (body.if_revision !== undefined && body.if_revision !== thing.revision)
    return problem(response, 409, 'another revision');
  change();
  thing.revision = `${thing.revision}'`;
  return answerJson(response, thing);
}

function answerApi(world, request, response, url, body) {
  const [, , family, id, verb] = url.pathname.split('/').map(decodeURIComponent);
  if (family === 'stats') return answerJson(response, statsOf(world));
  if (family === 'boosting') {
    if (request.method === 'GET') return answerJson(response, world.boosting);
    return write(world, response, world.boosting, body, () => {
      world.boosting.enabled = body.enabled;
    });
  }
  const list = world[family];
  if (!list) return problem(response, 404, 'no such path');
  if (!id) return answerJson(response, { [family]: list, errors: world.errors });
  if (id.endsWith(':dry_run')) {
    if (world.dryRun) return answerJson(response, world.dryRun);
    return problem(response, 409, 'remembered requests: 3, at least 20 are needed');
  }
  const thing = list.find((one) => one.id === id);
  if (!thing) return problem(response, 404, 'no such thing');
  if (verb === 'forecast')
    return answerJson(response, {
      goals: [{ ...thing.goals[0], attainable: false, forecast: { value: 31, low: 20, high: 39 } }],
      warnings: ['goals[0]: more than there is'],
    });
  if (verb === 'results') {
    const phase = url.searchParams.get('phase');
    if (phase === null || phase === world.results.phase) return answerJson(response, world.results);
    return answerJson(response, { ...world.results, phase, present: false, sample_ratio: null });
  }
  if (verb === 'approve')
    return write(world, response, thing, body, () => {
      Object.assign(thing.ramp, { state: 'ready', approved_by: 'li' });
    });
  if (verb === 'history') {
    const yaml = world.texts[url.searchParams.get('revision')];
    return answerJson(response, { id, yaml, history: thing.history });
  }
  if (verb === 'revert') return write(world, response, thing, body, () => (thing.coverage = 0.5));
  if (request.method === 'GET') return answerJson(response, thing);
  return write(world, response, thing, body, () => merge(thing, body));
}

async function answer({ world }, request, response, url) {
  let text = '';
  for await (const part of request) text += part;
  const body = text === '' ? {} : JSON.parse(text);
  world.requests.push({ method: request.method, path: url.pathname, body });
  if (fails(world, request, response)) return undefined;
  return answerApi(world, request, response, url, body);
}

// -> a listening fake; `world` may be replaced between requests. close() ends it.
export async function startFakeOperator() {
  const engine = { world: freshWorld() };
  const pages = await servePages((...call) => answer(engine, ...call), () => engine.world);
  return Object.assign(engine, pages);
}
