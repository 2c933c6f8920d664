// The creator's page against fake_engine.mjs, in every state that it has.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import {
  addressOf,
  digits,
  enterToken,
  eventually,
  hasNoHorizontalScroll,
  openPhone,
  paintedPixels,
  picture,
  test,
  text,
  tilesEqual,
  web,
} from './browser.mjs';
import {
  csvOf,
  exposureOf,
  kCreator,
  kHourMs,
  kToken,
  makeRows,
  startFakeEngine,
} from './fake_engine.mjs';
import {
  hasNotShifted,
  hasReadableText,
  isReachedByKeyboard,
  survivesOffline,
  watchShifts,
} from './page_checks.mjs';

let fake;
const kNameShift = 0.01; // the creator's name below the title

// A new engine with three items, for each test.
export async function freshFake() {
  fake?.close();
  fake = await startFakeEngine();
  fake.rows = makeRows(Date.now(), 3, 35);
  fake.titles = { 'item-0': '十八洞猕猴桃 5斤装 高山现摘', 'item-1': '湘西腊肉 <b>土猪</b>' };
  fake.guarantees = [
    { program: 'shibadong-kiwi', goal: 130000, delivered: 65000, pace: 1.02 },
    { program: 'cold-start', goal: 2000, delivered: 900, pace: 0.62 },
    { program: 'festival', goal: 500, delivered: 512, pace: 1.3 },
  ];
  fake.notShown = [
    { reason: 'out_of_stock', share: 0.305 },
    { reason: 'no_slot', share: 0.12 },
    { reason: 'constructor', share: 0.01 },
  ];
}

async function openReport(more = '') {
  const page = await openPhone(fake.url);
  await page.goto(addressOf(fake.url, kCreator, more));
  await enterToken(page, kToken);
  await page.locator('#report').waitFor();
  return page;
}

// A browser logs each refused request, and that paintedPixels() reads the canvas; the rest is ours.
const ownNoise = (page) =>
  page.noise.filter((line) => !/^(Failed to load resource|Canvas2D: Multiple readback)/.test(line));

// Of the last request about the range itself; what is compared with it ends earlier.
function lastQuery() {
  const all = fake.requests.map(({ url }) => new URL(url, fake.url).searchParams);
  const end = Math.max(...all.slice(-4).map((one) => Number(one.get('to'))));
  return all.filter((one) => Number(one.get('to')) === end).at(-1);
}
const sinceHours = (from) => Math.floor((Date.now() - from) / kHourMs) + 1;

export function fakeTests() {
  test('the page has no inline script or style and only its own files', async () => {
    const html = await readFile(new URL('dist/creator.html', web), 'utf8');
    assert.doesNotMatch(
      html,
      /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc="\/static\/)|https?:\/\//i,
    );
  });
  test('the token is asked for once; a cookie keeps the reader signed in', async () => {
    const page = await openPhone(fake.url);
    await page.goto(addressOf(fake.url, kCreator));
    await page.locator('#token-form').waitFor();
    assert.equal(await text(page, '#banner-text'), '请输入访问口令。');
    await picture(page, 'token');
    await enterToken(page, ` ${kToken} `);
    await page.locator('#report').waitFor();
    await page.reload();
    await page.locator('#report').waitFor();
    assert.ok(
      fake.requests.every((one) => !one.url.includes(kToken) && one.authorization === undefined),
    );
    const kept = await page.evaluate(() => [
      document.cookie,
      sessionStorage.length,
      localStorage.length,
    ]);
    assert.deepEqual(kept, ['', 0, 0]);
    await page.locator('#forget').click();
    await page.locator('#token-form').waitFor();
    assert.equal(await page.locator('#report').isVisible(), false);
    await page.reload();
    await page.locator('#token-form').waitFor();
  });
  test('an engine without tokens needs none', async () => {
    fake.token = '';
    const page = await openPhone(fake.url);
    await page.goto(addressOf(fake.url, kCreator));
    await page.locator('#report').waitFor();
    assert.equal(fake.requests.at(-1).cookie, undefined);
    assert.deepEqual(page.noise, []);
  });
  test('totals equal the answer, and fit 360 px without noise', async () => {
    const page = await openReport();
    await tilesEqual(page, exposureOf(fake, lastQuery()).totals);
    await hasNoHorizontalScroll(page);
    assert.deepEqual(ownNoise(page), []);
    assert.ok((await paintedPixels(page)) > 500);
    await picture(page, 'report-zh');
  });
  test('ranges ask for hours or days, on whole hours and Beijing days', async () => {
    const page = await openReport();
    for (const [name, days, step] of [
      ['day', 1, 'hour'],
      ['week', 7, 'day'],
      ['month', 30, 'day'],
    ]) {
      await page.locator(`[data-range=${name}]`).click();
      await eventually(async () => {
        assert.equal(
          await page.locator('#ranges [aria-pressed=true]').getAttribute('data-range'),
          name,
        );
        assert.equal(lastQuery().get('step'), step);
        await tilesEqual(page, exposureOf(fake, lastQuery()).totals);
        const span = (lastQuery().get('to') - lastQuery().get('from')) / (24 * kHourMs);
        assert.ok(
          span > days - 1 && span <= days && lastQuery().get('from') % kHourMs === 0,
          `${span} days`,
        );
        // Hours of the night are there too, at zero; those to come are not.
        const rows = step === 'hour' ? sinceHours(Number(lastQuery().get('from'))) : days;
        assert.equal(await page.locator('#series tbody tr').count(), rows);
      });
      await picture(page, `range-${name}`);
    }
  });
  test('&to= ends the ranges at a recorded time', async () => {
    const to = Math.floor(Date.now() / kHourMs) * kHourMs - 72 * kHourMs;
    const page = await openReport(`&to=${to}`);
    const midnight = Math.floor((to - 1 + 8 * kHourMs) / (24 * kHourMs)) * 24 * kHourMs;
    assert.equal(Number(lastQuery().get('from')), midnight - 8 * kHourMs);
    await tilesEqual(page, exposureOf(fake, lastQuery()).totals);
  });
  listTests();
  failureTests();
}

function listTests() {
  test('items show title and key, most seen first, ten until asked for all', async () => {
    fake.rows = makeRows(Date.now(), 25, 1);
    const page = await openReport();
    assert.equal(await page.locator('#items tbody tr').count(), 10);
    assert.match(await text(page, '#items-more'), /25/);
    await page.locator('#items-more').click();
    assert.equal(await page.locator('#items tbody tr').count(), 25);
    const seen = (await page.locator('#items td:nth-child(3)').allInnerTexts()).map(digits);
    assert.deepEqual(
      seen,
      [...seen].sort((a, b) => b - a),
    );
    const first = page.locator('#items tbody th').filter({ hasText: 'item-0' });
    assert.match(await first.innerText(), /十八洞猕猴桃/);
    await hasNoHorizontalScroll(page);
  });
  test('parts by program, surface and county, of the same totals', async () => {
    const page = await openReport();
    for (const [by, rows] of [
      ['program', ['shibadong-kiwi']],
      ['surface', ['信息流', '搜索']],
      ['county', ['湖南 花垣县', '（无）']],
      ['item', null],
    ]) {
      await page.locator(`[data-by=${by}]`).click();
      await eventually(async () => {
        assert.equal(lastQuery().get('by'), by);
        const names = await page.locator('#items tbody th').allInnerTexts();
        if (rows === null) assert.equal(names.length, 3);
        else assert.deepEqual(names.sort(), [...rows].sort());
      });
      await tilesEqual(page, exposureOf(fake, lastQuery()).totals);
      await hasNoHorizontalScroll(page);
    }
  });
  test('by hour of the day; where goods come from, on a map', async () => {
    const page = await openReport();
    await page.locator('[data-range=week]').click();
    await page.locator('[data-by=hour]').click();
    await eventually(async () => {
      const names = await page.locator('#items tbody th').allInnerTexts();
      assert.ok(names.length >= 10 && names.every((name) => /^\d\d:00$/.test(name)), `${names}`);
      assert.deepEqual(names, [...names].sort());
    });
    await page.locator('[data-by=county]').click();
    await page.locator('#map circle').first().waitFor();
    assert.equal(await page.locator('#map .is-some').count(), 1);
    await hasNoHorizontalScroll(page);
  });
  test('the period before, income, and what boosting did beside the rest', async () => {
    const page = await openReport();
    await page.locator('[data-range=week]').click();
    await eventually(async () =>
      assert.match(await text(page, '[data-total=viewable]'), /上一期 [\d,]+ \([+-]?[\d.]+%\)/),
    );
    const { totals } = exposureOf(fake, lastQuery());
    assert.equal(digits(await text(page, '[data-total=income_fen] .value')), totals.orders * 3);
    const boosted = await page.locator('#boosted tbody tr').allInnerTexts();
    const parts = boosted.map((row) => row.split(/\s+/).slice(1, 3).map(digits));
    assert.deepEqual(parts, [
      [totals.boosted_viewable, totals.boosted_orders],
      [totals.viewable - totals.boosted_viewable, totals.orders - totals.boosted_orders],
    ]);
    await page.locator('[data-range=day]').click();
    await eventually(async () =>
      assert.match(await text(page, '[data-total=served]'), /昨天全天 [\d,]+/),
    );
  });
  test('what to do is said for each item, and labels are shown with items', async () => {
    fake.advice = [
      { item_id: 'item-9', title: '猕猴桃', reasons: ['out_of_stock', 'title_too_short', 'new'] },
    ];
    fake.labels = { 'item-0': ['public_good'], 'item-1': ['ad'] };
    const page = await openReport();
    assert.match(await text(page, '#advice'), /猕猴桃[^]*补货后[^]*标题太短[^]*new/);
    const row = (name) => page.locator('#items tbody tr').filter({ hasText: name });
    assert.match(await row('item-0').innerText(), /公益/);
    assert.match(await row('item-1').innerText(), /广告/);
    assert.equal(await row('item-2').locator('.label').count(), 0);
  });
  for (const width of [375, 1280]) {
    test(`${width} px, light and dark: readable, by keyboard, nothing moves`, async () => {
      fake.token = '';
      fake.advice = [{ item_id: 'item-9', title: '猕猴桃', reasons: ['out_of_stock'] }];
      for (const colorScheme of ['light', 'dark']) {
        for (const lang of ['zh', 'en']) {
          const page = await openPhone(fake.url, { viewport: { width, height: 800 }, colorScheme });
          await watchShifts(page);
          await page.goto(addressOf(fake.url, kCreator, `&lang=${lang}`));
          await page.locator('#report').waitFor();
          await hasReadableText(page);
          await hasNotShifted(page, kNameShift);
          await hasNoHorizontalScroll(page);
          if (colorScheme === 'light' && lang === 'zh') await isReachedByKeyboard(page);
        }
      }
    });
  }
  test('offline: the last numbers stay until the line is back', async () => {
    await survivesOffline(await openReport(), '#totals');
  });
  test('whatever a name contains is text', async () => {
    const nasty = '<img src=x onerror="document.title=1"><script>1</script>';
    fake.titles['item-0'] = nasty;
    fake.guarantees[0].program = nasty;
    fake.advice = [{ item_id: 'item-0', title: nasty, reasons: [nasty] }];
    fake.notShown[0].reason = nasty;
    fake.titles['item-2'] = 'x'.repeat(400);
    const page = await openReport();
    assert.equal(await page.locator('#report img, #report script').count(), 0);
    for (const part of ['#items', '#guarantees', '#reasons', '#advice'])
      assert.ok((await text(page, part)).includes(nasty));
    await hasNoHorizontalScroll(page);
    assert.deepEqual(ownNoise(page), []);
  });
  test('guarantees show delivered, goal and pace; reasons their share', async () => {
    const page = await openReport();
    const rows = page.locator('#guarantees li');
    assert.deepEqual(await rows.evaluateAll((all) => all.map((li) => li.className)), [
      'guarantee good',
      'guarantee late',
      'guarantee done',
    ]);
    assert.equal(
      await text(page, '[data-program=shibadong-kiwi] .delivered'),
      '已完成 65,000 / 130,000',
    );
    assert.equal(
      await page
        .locator('#guarantees progress')
        .first()
        .evaluate((p) => p.position),
      0.5,
    );
    assert.match(await text(page, '#reasons'), /没有库存.*\s+30\.5%[^]*constructor/);
  });
  test('English keeps the numbers and every word changes', async () => {
    const page = await openReport();
    await page.locator('#lang').click();
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    await tilesEqual(page, exposureOf(fake, lastQuery()).totals);
    const words = await page.locator('body').innerText();
    assert.doesNotMatch(words.replace(/十八洞[^\n]*|湘西[^\n]*|中文/g, ''), /\p{Script=Han}/u);
    await hasNoHorizontalScroll(page);
    await picture(page, 'report-en');
  });
  test('nothing yet: zeros, and words instead of an empty chart', async () => {
    Object.assign(fake, { rows: [], guarantees: [], notShown: [] });
    const page = await openReport();
    await tilesEqual(page, exposureOf(fake, lastQuery()).totals);
    assert.ok(
      (await page.locator('#chart-empty').isVisible()) &&
        (await page.locator('#items-empty').isVisible()),
    );
    assert.equal(await page.locator('#chart').isVisible(), false);
    fake.rows = makeRows(Date.now(), 2, 1);
    await page.locator('[data-range=week]').click();
    await eventually(async () => assert.ok((await paintedPixels(page)) > 500));
  });
  test('the table downloads as CSV by the same session', async () => {
    const page = await openReport();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('#csv').click(),
    ]);
    assert.equal(download.suggestedFilename(), 'exposure-十八洞_合作社_1-day.csv');
    const bytes = await readFile(await download.path(), 'utf8');
    assert.equal(bytes, `\ufeff${csvOf(exposureOf(fake, lastQuery()))}`);
    assert.deepEqual(ownNoise(page), []);
  });
  test('a national best seller fits 360 px, to the last digit', async () => {
    for (const row of fake.rows) {
      for (const name of Object.keys(row))
        if (name !== 'ts_ms' && typeof row[name] === 'number') row[name] *= 91_357;
    }
    const page = await openReport();
    await tilesEqual(page, exposureOf(fake, lastQuery()).totals);
    await hasNoHorizontalScroll(page);
    await picture(page, 'report-large');
  });
  test('a tap on the chart reads the numbers out without breaking the policy', async () => {
    const page = await openReport();
    await page.locator('#chart').scrollIntoViewIfNeeded();
    const before = await paintedPixels(page);
    await page.locator('#chart').tap({ position: { x: 80, y: 120 } });
    await eventually(async () => assert.notEqual(await paintedPixels(page), before));
    assert.deepEqual(ownNoise(page), []);
    await picture(page, 'tooltip');
  });
  test('a wide screen has the table with its head', async () => {
    const page = await openPhone(fake.url, { viewport: { width: 1024, height: 800 } });
    await page.goto(addressOf(fake.url, kCreator));
    await enterToken(page, kToken);
    await page.locator('#items thead').waitFor();
    await hasNoHorizontalScroll(page);
    await picture(page, 'report-wide');
  });
}

function failureTests() {
  test('401: a wrong token is refused in words and can be typed again', async () => {
    const page = await openPhone(fake.url);
    await page.goto(addressOf(fake.url, kCreator));
    await enterToken(page, 'wrong');
    await eventually(async () => assert.match(await text(page, '#banner-text'), /口令不对/));
    await enterToken(page, '口令');
    assert.match(await text(page, '#banner-text'), /不能用的字符/);
    await enterToken(page, kToken);
    await page.locator('#report').waitFor();
    assert.equal(await page.locator('#banner').isVisible(), false);
  });
  test('404: another creator is not shown, and the numbers before are gone', async () => {
    const page = await openPhone(fake.url);
    await page.goto(addressOf(fake.url, 'somebody-else'));
    await enterToken(page, kToken);
    await eventually(async () => assert.match(await text(page, '#banner-text'), /没有这个创作者/));
    assert.equal(await page.locator('#report').isVisible(), false);
    await picture(page, 'not-found');
  });
  test('no id in the address: the page asks for it and opens it', async () => {
    const page = await openPhone(fake.url);
    await page.goto(`${fake.url}/creator`);
    await page.locator('#id-input').fill(kCreator);
    await page.locator('#id-form button').click();
    await eventually(async () => assert.equal(await text(page, '#who'), kCreator));
    await page.locator('#token-form').waitFor();
  });
  test('slow: says so while it waits, and a newer range wins over an older answer', async () => {
    const page = await openPhone(fake.url);
    fake.delay_ms = 800;
    await page.goto(addressOf(fake.url, kCreator));
    assert.equal(await text(page, '#loading'), '正在读取…');
    await enterToken(page, kToken);
    await page.locator('#report').waitFor();
    await page.locator('[data-range=month]').click();
    fake.delay_ms = 0;
    await page.locator('[data-range=week]').click();
    await new Promise((done) => setTimeout(done, 1200));
    assert.equal(await page.locator('#series tbody tr').count(), 7);
  });
  test('line down, shedding, nonsense: said in words, the last numbers stay', async () => {
    const page = await openReport();
    const before = exposureOf(fake, lastQuery()).totals;
    await page.clock.install();
    for (const [mode, words] of [
      ['down', /连不上服务器/],
      ['busy', /看的人太多/],
      ['broken', /读不懂/],
    ]) {
      fake.mode = mode;
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await eventually(async () => assert.match(await text(page, '#banner-text'), words));
      assert.match(await text(page, '#banner-text'), /下面是 \d\d:\d\d:\d\d 的数据/);
      await tilesEqual(page, before);
      await picture(page, `mode-${mode}`);
    }
    fake.mode = 'ok';
    await page.locator('#retry').click();
    await page.locator('#banner').waitFor({ state: 'hidden' });
  });
  test('a failed range shows no numbers of another one', async () => {
    const page = await openReport();
    fake.mode = 'down';
    await page.locator('[data-range=month]').click();
    await page.locator('#report').waitFor({ state: 'hidden' });
  });
  test('every 4 seconds the numbers are fetched again; after a 401 no more', async () => {
    const page = await openPhone(fake.url);
    await page.clock.install();
    await page.goto(addressOf(fake.url, kCreator));
    await enterToken(page, kToken);
    await page.locator('#report').waitFor();
    fake.rows = makeRows(Date.now(), 7, 35);
    const asked = fake.requests.length;
    await page.clock.runFor(3_000);
    assert.equal(fake.requests.length, asked);
    await page.clock.runFor(1_500);
    await eventually(async () => tilesEqual(page, exposureOf(fake, lastQuery()).totals));
    assert.equal(fake.requests.length, asked + 1);
    fake.token = 'rotated';
    await page.clock.runFor(5_000);
    await page.locator('#token-form').waitFor();
    const after = fake.requests.length;
    await page.clock.runFor(120_000);
    assert.equal(fake.requests.length, after);
  });
}

export const closeFake = () => fake?.close();
