// The operators' page against a running engine: what it switches, that engine has switched.
import assert from 'node:assert/strict';
import { eventually, hasNoHorizontalScroll, openPhone, picture, test, text } from './browser.mjs';
import {
  hasNotShifted,
  hasReadableText,
  isReachedByKeyboard,
  survivesOffline,
  watchShifts,
} from './page_checks.mjs';

const kShiftMax = 0.1; // numbers change meanwhile; up to here browsers call it good
const base = process.env.SHANHUO_URL?.replace(/\/+$/, '');

async function send(method, path, body) {
  const response = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
  return response.status === 204 ? {} : response.json();
}

async function openLive(viewport, { lang = 'en', colorScheme } = {}) {
  const page = await openPhone(base, { viewport, colorScheme });
  await watchShifts(page);
  await page.goto(`${base}/operate?lang=${lang}`);
  await page.locator('#report').waitFor();
  return page;
}

const toggle = (page, id) => page.locator(`[data-action=toggle][data-id="${id}"]`);

// Through the dialog, until the page shows it.
async function flip(page, id, want) {
  await toggle(page, id).click();
  await page.locator('#dialog [data-action=apply]').waitFor();
  assert.equal(await page.locator('#tried').count(), id === 'all' ? 0 : 1);
  await page.locator('#dialog [data-action=apply]').click();
  await page.locator('#dialog').waitFor({ state: 'hidden' });
  await eventually(async () =>
    assert.equal(await toggle(page, id).getAttribute('aria-checked'), String(want)),
  );
}

// Pages of `users`, each once; -> what they were answered.
function rankPages(users) {
  return Promise.all(
    users.map((user_id) =>
      send('POST', '/v1/rank', {
        request_id: `${user_id}-page`,
        user_id,
        surface: 'feed',
        count: 10,
        candidates: Array.from({ length: 10 }, (_, i) => ({
          item_id: `web-${i}`,
          score: 1 - i / 20,
        })),
      }),
    ),
  );
}

const viewersNamed = (name, n) => Array.from({ length: n }, (_, i) => `${name}-${Date.now()}-${i}`);

const definition = (layer, more) => ({
  layer,
  hash: { attribute: 'user_id', version: 2, seed: layer },
  variations: [
    { key: 'control', weight: 0.5 },
    { key: 'more', weight: 0.5, set: { 'ranking.explore_best': 3 } },
  ],
  ...more,
});

// Two impressions of everybody, and a click of all that have `more` and of every other viewer.
// -> clicks by impressions of each variation of web-results.
async function sendClicks(users, pages) {
  const ts_ms = Date.now();
  const sums = { control: [0, 0], more: [0, 0] };
  const events = pages.flatMap(({ experiments }, i) => {
    const { variation } = experiments.find(({ experiment }) => experiment === 'web-results');
    const clicks = variation === 'more' || i % 2 ? ['click'] : [];
    sums[variation][0] += clicks.length;
    sums[variation][1] += 2;
    return ['impression', 'impression', ...clicks].map((type, n) => ({
      event_id: `${users[i]}-${n}`,
      type,
      user_id: users[i],
      item_id: 'web-0',
      ts_ms,
    }));
  });
  await send('POST', '/v1/events', { events });
  return Object.fromEntries(Object.entries(sums).map(([key, [of, all]]) => [key, of / all]));
}

async function showsResults(width) {
  const at = '/v1/experiments/web-results';
  const { variations, metrics } = await send('GET', `${at}/results`);
  const page = await openLive({ width, height: 800 });
  await page.locator('[data-experiment=web-results] [data-action=results]').click();
  await page.locator('#result-viewers').waitFor();
  const rows = await page.locator('#result-viewers tbody td:last-child').allInnerTexts();
  assert.deepEqual(rows, variations.map(({ viewers }) => String(viewers)));
  assert.equal(await page.locator('[data-metric]').count(), metrics.length);
  const { low, high } = metrics.find(({ metric }) => metric === 'ctr').variations[1].lift
    .relative_sequential;
  const said = await text(page, '[data-metric=ctr] [data-lift=any-time]');
  for (const end of [low, high]) assert.ok(said.includes(Math.abs(end * 100).toFixed(1)), said);
  await hasNoHorizontalScroll(page);
  assert.deepEqual(page.noise, []);
  await picture(page, `operate-live-results-${width}`);
}

export function operatorLiveTests() {
  for (const [width, lang, colorScheme] of [
    [1280, 'en', 'light'],
    [1280, 'zh', 'dark'],
    [375, 'en', 'dark'],
    [375, 'zh', 'light'],
  ]) {
    test(`programs stand as the engine has them: ${width} px, ${lang} ${colorScheme}`, async () => {
      const { programs } = await send('GET', '/v1/programs');
      const page = await openLive({ width, height: 900 }, { lang, colorScheme });
      assert.equal(await page.locator('#programs > li').count(), programs.length);
      for (const { id, name, label } of programs) {
        const card = await text(page, `[data-program="${id}"]`);
        const language = lang === 'en' ? 'en' : 'zh-CN';
        assert.ok(card.includes(name[language]), id);
        assert.ok(!label || card.includes(label[language]), id);
      }
      await hasNoHorizontalScroll(page);
      await hasReadableText(page);
      await hasNotShifted(page, kShiftMax);
      assert.deepEqual(page.noise, []);
      await picture(page, `operate-live-${width}-${colorScheme}`);
    });
  }
  test('Tab reaches every control, and without a line the last numbers stay', async () => {
    const page = await openLive({ width: 1280, height: 900 });
    await isReachedByKeyboard(page);
    await survivesOffline(page, '#programs');
  });
  test('a program and all boosting are switched off and on again', async () => {
    await rankPages(viewersNamed('tried', 30)); // to be tried out on
    const page = await openLive({ width: 1280, height: 900 });
    const { programs } = await send('GET', '/v1/programs');
    const { id } = programs.find(({ enabled }) => enabled);
    const isOn = async () => (await send('GET', `/v1/programs/${id}`)).enabled;
    await flip(page, id, false);
    assert.equal(await isOn(), false);
    await flip(page, id, true);
    assert.equal(await isOn(), true);
    await flip(page, 'all', false);
    assert.equal((await send('GET', '/v1/boosting')).enabled, false);
    await flip(page, 'all', true);
    assert.equal((await send('GET', '/v1/boosting')).enabled, true);
    assert.deepEqual(page.noise, []);
  });
  test('an experiment is reverted to what it was, byte for byte', async () => {
    const at = '/v1/experiments/web-test';
    const made = await send('PUT', at, definition('web-test', { enabled: false }));
    try {
      await send('PATCH', at, { coverage: 0.5, if_revision: made.revision });
      const page = await openLive({ width: 375, height: 800 });
      await page.locator('[data-experiment=web-test] [data-action=history]').click();
      await page.locator('[data-action=revert]').first().click();
      await eventually(async () =>
        assert.match(await text(page, '#dialog-body'), /- coverage: 0\.5/),
      );
      await page.locator('#dialog [data-action=apply]').click();
      await page.locator('#dialog').waitFor({ state: 'hidden' });
      assert.equal((await send('GET', at)).revision, made.revision);
      assert.deepEqual(page.noise, []);
    } finally {
      await send('DELETE', at);
    }
  });
  test('a ramp is held and goes on', async () => {
    const at = '/v1/experiments/web-ramp';
    const ramp = { steps: [0.01, 1], hold_h: 1, viewers_min: 10 };
    await send('PUT', at, definition('web-ramp', { enabled: true, coverage: 0.01, ramp }));
    try {
      const page = await openLive({ width: 375, height: 800 });
      for (const [action, state] of [
        ['hold', 'held'],
        ['go', 'waits'],
      ]) {
        await page.locator(`[data-experiment=web-ramp] [data-action=${action}]`).click();
        await page.locator('#dialog [data-action=apply]').click();
        await page.locator(`[data-experiment=web-ramp] [data-ramp=${state}]`).waitFor();
        assert.equal((await send('GET', at)).ramp.state, state);
      }
      assert.deepEqual(page.noise, []);
    } finally {
      await send('DELETE', at);
    }
  });
  test('results stand as the engine has them, at both widths', async () => {
    const at = '/v1/experiments/web-results';
    await send('PUT', at, definition('web-results', { enabled: true }));
    try {
      const users = viewersNamed('web', 60);
      const want = await sendClicks(users, await rankPages(users));
      await eventually(async () => {
        const { variations, metrics } = await send('GET', `${at}/results`);
        assert.equal(variations[0].viewers + variations[1].viewers, users.length);
        const ctr = metrics.find(({ metric }) => metric === 'ctr');
        for (const { key, mean } of ctr.variations) assert.ok(Math.abs(mean - want[key]) < 1e-9);
      });
      for (const width of [1280, 375]) await showsResults(width);
    } finally {
      await send('DELETE', at);
    }
  });
}
