// The operators' page against a running engine: what it switches, that engine has switched.
import assert from 'node:assert/strict';
import { eventually, hasNoHorizontalScroll, openPhone, picture, test, text } from './browser.mjs';

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

async function openLive(viewport) {
  const page = await openPhone(base, { viewport });
  await page.goto(`${base}/operate?lang=en`);
  await page.locator('#report').waitFor();
  return page;
}

const toggle = (page, id) => page.locator(`[data-action=toggle][data-id="${id}"]`);

// Through the dialog, until the page shows it.
async function flip(page, id, want) {
  await toggle(page, id).click();
  await page.locator('#dialog [data-action=apply]').click();
  await page.locator('#dialog').waitFor({ state: 'hidden' });
  await eventually(async () =>
    assert.equal(await toggle(page, id).getAttribute('aria-checked'), String(want)),
  );
}

export function operatorLiveTests() {
  test('programs stand as the engine has them, at both widths, without noise', async () => {
    const { programs } = await send('GET', '/v1/programs');
    for (const width of [1280, 375]) {
      const page = await openLive({ width, height: 900 });
      assert.equal(await page.locator('#programs > li').count(), programs.length);
      for (const { id, name } of programs) {
        assert.ok((await text(page, `[data-program="${id}"] h3`)).includes(name.en), id);
      }
      await hasNoHorizontalScroll(page);
      assert.deepEqual(page.noise, []);
      await picture(page, `operate-live-${width}`);
    }
  });
  test('a program and all boosting are switched off and on again', async () => {
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
    const made = await send('PUT', at, {
      layer: 'web-test',
      range: [0, 0.1],
      hash: { attribute: 'user_id', version: 2, seed: 'web-test' },
      variations: [
        { key: 'control', weight: 0.5 },
        { key: 'more', weight: 0.5, set: { 'ranking.user_loss_budget': 0.03 } },
      ],
      enabled: false,
    });
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
}
