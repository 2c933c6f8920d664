// A small engine for the creator's page: answers GET /v1/creators/{id}/exposure (contract 2.4) from
// hourly counts of its own. It behaves: it refuses bad tokens, other creators and unknown
// parameters, and on demand it stalls, drops the line, sheds load or talks nonsense.
import { answerJson, fails, problem, servePages } from './fake_pages.mjs';

export const kCreator = '十八洞 合作社/1';
export const kToken = 'tok-A1b2';
export const kHourMs = 3_600_000;
const kDayMs = 24 * kHourMs;
const kZoneMs = 8 * kHourMs; // buckets of a day begin at midnight in Beijing
const kBys = ['item', 'program', 'surface', 'county'];
const kNames = [
  'served',
  'viewable',
  'clicks',
  'plays',
  'watch_ms',
  'likes',
  'orders',
  'amount_fen',
  'boosted_viewable',
  'boosted_orders',
];

// Hourly rows of `items` items over the last `days` days before now; none at night, so that series
// have gaps.
export function makeRows(now_ms, items, days) {
  const rows = [];
  const last = Math.floor(now_ms / kHourMs);
  for (let hour = last - days * 24; hour <= last; ++hour) {
    if ((hour + 8) % 24 < 6 && hour !== last) continue;
    for (let i = 0; i < items; ++i) {
      const served = ((hour * 37 + i * 101) % 90) + 5 * (items - i);
      const viewable = Math.floor(served * 0.6);
      const orders = served % 3;
      rows.push({
        ts_ms: hour * kHourMs,
        item: `item-${i}`,
        program: 'shibadong-kiwi',
        surface: ['feed', 'search'][i % 2],
        county: ['433124', ''][i % 2],
        served,
        viewable,
        clicks: viewable >> 3,
        plays: viewable >> 2,
        watch_ms: viewable * 2100,
        likes: viewable >> 4,
        orders,
        amount_fen: orders * 3999 + (i === 0 ? 1 : 0),
        boosted_viewable: viewable >> 1,
        boosted_orders: orders >> 1,
        unique_viewers: Math.floor(viewable * 0.8),
      });
    }
  }
  return rows;
}

function sum(rows) {
  const totals = Object.fromEntries([...kNames, 'unique_viewers'].map((name) => [name, 0]));
  for (const row of rows) for (const name of Object.keys(totals)) totals[name] += row[name];
  return totals;
}

function grouped(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return [...groups];
}

export function exposureOf(engine, query) {
  const from = Number(query.get('from'));
  const to = Number(query.get('to'));
  const width = query.get('step') === 'day' ? kDayMs : kHourMs;
  const rows = engine.rows.filter((row) => row.ts_ms >= from && row.ts_ms < to);
  const bucketOf = (row) => Math.floor((row.ts_ms + kZoneMs) / width) * width - kZoneMs;
  const byItem = query.get('by') === 'item';
  const income = (part) => (byItem ? { income_fen: 300 * sum(part).orders } : {});
  return {
    totals: { ...sum(rows), ...income(rows) },
    series: grouped(rows, bucketOf).map(([ts_ms, part]) => ({ ts_ms, ...sum(part) })),
    groups: grouped(rows, (row) => row[query.get('by')]).map(([key, part]) => ({
      key,
      ...(engine.titles[key] ? { title: engine.titles[key] } : {}),
      ...(byItem ? { labels: engine.labels[key] ?? [] } : {}),
      ...sum(part),
      ...income(part),
    })),
    guarantees: engine.guarantees,
    not_shown: engine.notShown,
    advice: engine.advice,
  };
}

export function csvOf(exposure) {
  const line = (cells) =>
    `${cells.map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(',')}\r\n`;
  return (
    line(['key', ...kNames]) +
    exposure.groups.map((g) => line([g.key, ...kNames.map((n) => g[n])])).join('')
  );
}

function answerExposure(engine, request, response, url) {
  if (fails(engine, request, response)) return undefined;
  const id = decodeURIComponent(url.pathname.split('/')[3]);
  if (id !== kCreator) return problem(response, 404, 'no such creator');
  const names = [...url.searchParams.keys()].sort().join();
  if (names !== 'by,from,step,to' || !kBys.includes(url.searchParams.get('by')))
    return problem(response, 422, 'parameters');
  const exposure = exposureOf(engine, url.searchParams);
  if (request.headers.accept !== 'text/csv') return answerJson(response, exposure);
  response.writeHead(200, { 'content-type': 'text/csv; charset=utf-8' });
  return response.end(csvOf(exposure));
}

async function answer(engine, request, response, url) {
  if (!/^\/v1\/creators\/[^/]+\/exposure$/.test(url.pathname))
    return problem(response, 404, 'no such route');
  engine.requests.push({
    url: request.url,
    authorization: request.headers.authorization,
    cookie: request.headers.cookie,
    accept: request.headers.accept,
  });
  if (engine.delay_ms > 0) await new Promise((done) => setTimeout(done, engine.delay_ms));
  return answerExposure(engine, request, response, url);
}

// -> a listening fake; its fields may be changed between requests. close() ends it.
export async function startFakeEngine() {
  const engine = {
    mode: 'ok',
    delay_ms: 0,
    token: kToken,
    rows: [],
    titles: {},
    guarantees: [],
    notShown: [],
    advice: [],
    labels: {},
    requests: [],
  };
  const pages = await servePages((...call) => answer(engine, ...call), () => engine);
  return Object.assign(engine, pages);
}
