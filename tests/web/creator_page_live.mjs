// The creator's page against a running engine: what it shows is what that engine answered.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import {
  addressOf,
  eventually,
  hasNoHorizontalScroll,
  isExposure,
  openPhone,
  paintedPixels,
  picture,
  test,
  text,
  tilesEqual,
} from './browser.mjs';

const live = {
  base: process.env.SHANHUO_URL?.replace(/\/+$/, ''),
  token: process.env.SHANHUO_TOKEN ?? '',
};

async function send(method, path, body) {
  const headers = {
    'content-type': 'application/json',
    ...(live.token ? { authorization: `Bearer ${live.token}` } : {}),
  };
  const response = await fetch(live.base + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
  return response.json();
}

// A creator with two items and events whose counts are known.
async function makeCreator() {
  const ts_ms = Date.now() - 1000; // one moment, so that no half hour divides the exposures
  const run = `webtest-${ts_ms}`;
  await send('PUT', '/v1/creators', {
    creators: [{ creator_id: run, name: '网页测试', groups: [] }],
  });
  const items = ['a', 'b'].map((one) => ({
    item_id: `${run}-${one}`,
    kind: 'farm_good',
    title: `测试 <b>${one}</b>`,
    creator_id: run,
  }));
  await send('PUT', '/v1/items', { items });
  const event = (type, n, more) => ({
    event_id: `${run}-${type}-${n}`,
    type,
    user_id: `${run}-user-${n % 4}`,
    item_id: items[n % 2].item_id,
    ts_ms,
    surface: 'feed',
    ...more,
  });
  const times = (n, type, more = () => ({})) =>
    Array.from({ length: n }, (_, i) => event(type, i, more(i)));
  const events = [
    ...times(8, 'impression', () => ({ viewable_ms: 1500 })),
    ...times(3, 'click'),
    ...times(2, 'order', (i) => ({ order_id: `${run}-o${i}`, quantity: 1, amount_fen: 2599 })),
  ];
  const { accepted } = await send('POST', '/v1/events', { events });
  assert.equal(accepted, events.length);
  return {
    id: run,
    want: { served: 8, viewable: 4, unique_viewers: 4, clicks: 3, orders: 2, amount_fen: 5198 },
  };
}

// That paintedPixels() reads the canvas is no noise of the page.
const noiseOf = (page) => page.noise.filter((line) => !line.startsWith('Canvas2D: Multiple'));

async function signedIn(page) {
  if (live.token === '') return;
  const data = { token: live.token };
  const answer = await page.request.post(`${live.base}/v1/session`, { data });
  assert.ok(answer.ok(), await answer.text());
}

async function openLive(id) {
  const page = await openPhone(live.base);
  await signedIn(page);
  const [response] = await Promise.all([
    page.waitForResponse(isExposure),
    page.goto(addressOf(live.base, id)),
  ]);
  assert.equal(response.status(), 200, await response.text());
  await page.locator('#report').waitFor();
  return { page, answer: await response.json() };
}

export function liveTests() {
  const made = process.env.SHANHUO_CREATOR ? { id: process.env.SHANHUO_CREATOR } : null;
  let creator = made;
  test('the page shows the totals that the engine answers, at 360 px without noise', async () => {
    creator ??= await makeCreator();
    await eventually(async () => {
      const { page, answer } = await openLive(creator.id);
      await tilesEqual(page, answer.totals);
      for (const [name, want] of Object.entries(creator.want ?? {}))
        assert.equal(answer.totals[name], want, name);
      if (creator.want) assert.equal(await page.locator('#items tbody tr').count(), 2);
      if (creator.want) assert.ok((await paintedPixels(page)) > 100);
      await hasNoHorizontalScroll(page);
      assert.deepEqual(noiseOf(page), []);
      await picture(page, 'live');
    });
  });
  test('every range and the CSV come from the engine', async () => {
    const { page } = await openLive(creator.id);
    for (const name of ['week', 'month']) {
      const [response] = await Promise.all([
        page.waitForResponse(isExposure),
        page.locator(`[data-range=${name}]`).click(),
      ]);
      const { totals } = await response.json();
      await eventually(async () => tilesEqual(page, totals));
    }
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('#csv').click(),
    ]);
    assert.ok((await readFile(await download.path(), 'utf8')).split('\n').length >= 2);
    assert.deepEqual(noiseOf(page), []);
  });
  test('an unknown creator is said to be unknown', async () => {
    const page = await openPhone(live.base);
    await signedIn(page);
    await page.goto(addressOf(live.base, `nobody-${Date.now()}`));
    await eventually(async () => assert.match(await text(page, '#banner-text'), /没有这个创作者/));
  });
}
