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
  goals: [goal({})],
  refused: [],
  history: [],
  ...more,
});

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
          { at_ms: kNow - 1000, who: 'li', what: 'patched', from: 'r1', to: 'r2' },
          { at_ms: kNow - 9000, who: 'wang', what: 'created', from: '', to: 'r1' },
        ],
      },
    ],
    texts: {
      r1: 'id: stronger-boost\ncoverage: 0.5\nenabled: true\n',
      r2: 'id: stronger-boost\ncoverage: 0.8\nenabled: true\n',
    },
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

// Checks the revision, applies `change` to `thing` and answers it.
function write(world, response, thing, body, change) {
  if (world.faster) {
    const from = thing.revision;
    thing.history.unshift({ at_ms: kNow, who: 'zhao', what: 'patched', from, to: 'x' });
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
  const thing = list.find((one) => one.id === id);
  if (!thing) return problem(response, 404, 'no such thing');
  if (verb === 'forecast')
    return answerJson(response, {
      goals: [{ ...thing.goals[0], attainable: false, forecast: { value: 31, low: 20, high: 39 } }],
      warnings: ['goals[0]: more than there is'],
    });
  if (verb === 'history') {
    const yaml = world.texts[url.searchParams.get('revision')];
    return answerJson(response, { id, yaml, history: thing.history });
  }
  if (verb === 'revert') return write(world, response, thing, body, () => (thing.coverage = 0.5));
  if (request.method === 'GET') return answerJson(response, thing);
  return write(world, response, thing, body, () => Object.assign(thing, { enabled: body.enabled }));
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
  return Object.assign(engine, await servePages((...call) => answer(engine, ...call)));
}
