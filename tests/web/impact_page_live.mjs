// The impact page against a running engine: what it shows is what that engine answered.
import assert from 'node:assert/strict';
import { eventually, hasNoHorizontalScroll, openPhone, picture, test, text } from './browser.mjs';

const base = process.env.SHANHUO_URL?.replace(/\/+$/, '');

async function send(method, path, body) {
  const response = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
}

export function impactLiveTests() {
  test('orders of a county stand on the page as they were sent, at both widths', async () => {
    const run = `impact-${Date.now()}`;
    await send('PUT', '/v1/items', {
      items: [
        {
          item_id: run,
          kind: 'farm_good',
          title: '猕猴桃 5斤装',
          creator_id: run,
          county: '433124',
          benefit: { households: 40, income_fen_per_order: 300 },
        },
      ],
    });
    const event = (type, i, more) => ({
      event_id: `${run}-${type}-${i}`,
      type,
      user_id: `${run}-${i}`,
      item_id: run,
      ts_ms: Date.now() - 1_000,
      surface: 'feed',
      ...more,
    });
    const users = Array.from({ length: 12 }, (_, i) => i);
    await send('POST', '/v1/events', {
      events: [
        ...users.map((i) => event('impression', i, { viewable_ms: 1_500 })),
        ...users
          .slice(0, 3)
          .map((i) =>
            event('order', i, { order_id: `${run}-${i}`, quantity: 1, amount_fen: 2_599 }),
          ),
      ],
    });
    for (const width of [375, 1280]) {
      const page = await openPhone(base, { viewport: { width, height: 800 } });
      await eventually(async () => {
        await page.goto(`${base}/impact`);
        await page.locator('#report').waitFor();
        await page.locator('[data-action=by][data-value=creator]').click();
        const row = page.locator(`#parts tr[data-key="${run}"]`);
        await row.waitFor({ timeout: 1_000 });
        assert.match(await row.innerText(), /12\s+3\s+¥9\.00/);
      });
      await page.locator('#province').selectOption('43');
      await page.locator('[data-action=pick][data-value="433124"]').click();
      assert.match(await text(page, '#county'), /湖南 花垣县/);
      await hasNoHorizontalScroll(page);
      assert.deepEqual(page.noise, []);
      await picture(page, `impact-live-${width}`);
    }
  });
}
