// A small engine for the impact page: answers GET /v1/impact (contract 2.7) from numbers that
// follow from a county's place in a list.
import { answerJson, fails, problem, servePages } from './fake_pages.mjs';

export const kImpactToken = 'tok-Op3r';
const kHourMs = 3_600_000;
const kCodes = ['130126', '433124', '522635', '533325', '653222', '610524'];
const kBys = {
  county: ['', ...kCodes],
  program: ['shibadong-kiwi', 'summer-sale'],
  cause: ['cause-school-meal'],
  creator: ['creator-433124-1', 'creator-130126-1'],
};
const kNames = { 'shibadong-kiwi': '十八洞猕猴桃', 'cause-school-meal': '山区孩子的热午餐' };
const kLabels = { 'shibadong-kiwi': 'public_good', 'summer-sale': 'ad' };

export const freshImpact = () => ({
  mode: 'ok',
  token: kImpactToken,
  empty: false,
  names: { ...kNames },
  requests: [],
});

export function numbersOf(i) {
  const orders = 40 * i;
  return {
    served: 900_000 * i,
    viewable: 612_345 * i,
    boosted_viewable: 61_234 * i,
    clicks: 3_000 * i,
    orders,
    boosted_orders: orders / 2,
    amount_fen: 3_990 * orders * 300,
    income_fen: 1_200 * orders,
    households: 35 * i,
    donated_fen: 8 * orders,
    weight_g: 2_500 * orders * 20,
  };
}

function sum(rows) {
  const total = { ...numbersOf(0) };
  for (const row of rows) for (const name of Object.keys(total)) total[name] += row[name];
  return total;
}

export function impactOf(world, query) {
  const by = query.get('by');
  const [from, to] = [Number(query.get('from')), Number(query.get('to'))];
  const groups = (world.empty ? [] : kBys[by]).map((key, i) => ({
    key,
    ...(world.names[key] ? { name: world.names[key] } : {}),
    ...(by === 'program' && kLabels[key] ? { label: kLabels[key] } : {}),
    ...numbersOf(i),
  }));
  const series = [];
  const width = query.get('step') === 'day' ? 24 * kHourMs : kHourMs;
  for (let ts_ms = from, i = 1; ts_ms < to && !world.empty; ts_ms += 3 * width, ++i) {
    const { households, ...point } = numbersOf(i);
    series.push({ ts_ms, ...point });
  }
  const viewable = groups.filter(({ key }) => key !== '').map((one) => one.viewable);
  const equity = {
    counties: viewable.length,
    gini: 0.381,
    lorenz: viewable.length ? [0, 0.01, 0.03, 0.07, 0.12, 0.19, 0.28, 0.4, 0.55, 0.75, 1] : [],
    worst: viewable.length ? [{ county: '130126', name: '灵寿县', viewable: 612_345 }] : [],
  };
  return {
    by,
    from_ms: from,
    to_ms: to,
    totals: sum(groups),
    groups,
    series,
    ...(by === 'county' ? { equity } : {}),
    user_loss_ratio: 0.0123,
  };
}

export async function startFakeImpact() {
  const fake = { world: freshImpact() };
  const pages = await servePages((request, response, url) => {
    const { world } = fake;
    if (url.pathname !== '/v1/impact') return problem(response, 404, 'no such route');
    world.requests.push(request.url);
    if (fails(world, request, response)) return undefined;
    if (!(url.searchParams.get('by') in kBys)) return problem(response, 422, 'by');
    if (request.headers.accept !== 'text/csv') {
      return answerJson(response, impactOf(world, url.searchParams));
    }
    response.writeHead(200, { 'content-type': 'text/csv; charset=utf-8' });
    return response.end('key,name\r\n"a","b"\r\n');
  }, () => fake.world);
  return Object.assign(fake, pages);
}
