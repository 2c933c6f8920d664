// The impact page against fake_impact.mjs, in every state that it has.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import {
  enterToken,
  eventually,
  hasNoHorizontalScroll,
  openPhone,
  paintedPixels,
  picture,
  test,
  text,
} from './browser.mjs';
import { freshImpact, kImpactToken, startFakeImpact } from './fake_impact.mjs';
import { signInBefore } from './fake_pages.mjs';
import {
  hasNotShifted,
  hasReadableText,
  isReachedByKeyboard,
  survivesOffline,
  watchShifts,
} from './page_checks.mjs';

let fake;
const kWidths = [375, 1280];
const kLanguageShift = 0.001; // buttons are wider in English
const kTo = Date.UTC(2026, 10, 23, 4); // noon in Beijing
const kHourMs = 3_600_000;
const kNasty = '<img src=x onerror="document.title=1"><script>1</script>';

export async function freshFake() {
  fake ??= await startFakeImpact();
  fake.world = freshImpact();
}
export const closeFake = () => fake?.close();

const address = (more = '') => `${fake.url}/impact?to=${kTo}${more}`;

async function openPage({ width = 1280, more = '', colorScheme = 'light' } = {}) {
  const page = await openPhone(fake.url, { viewport: { width, height: 800 }, colorScheme });
  await watchShifts(page);
  // Signed in before: nothing of the first load is the reader's doing.
  await signInBefore(page, fake.url, kImpactToken);
  await page.goto(address(more));
  await page.locator('#report').waitFor();
  return page;
}

const ownNoise = (page) =>
  page.noise.filter((line) => !/^(Failed to load resource|Canvas2D: Multiple readback)/.test(line));
const lastQuery = (by) =>
  new URL(fake.world.requests.filter((url) => url.includes(`by=${by}`)).at(-1), fake.url)
    .searchParams;
const tile = (page, name) => text(page, `[data-total=${name}] .value`);
const choose = (page, action, value) =>
  page.locator(`[data-action=${action}][data-value="${value}"]`).click();

export function impactTests() {
  for (const width of kWidths) {
    for (const lang of ['zh', 'en']) {
      test(`${width} px in ${lang}: fits, contrast, keyboard, no shift, no noise`, async () => {
        for (const colorScheme of ['light', 'dark']) {
          const page = await openPage({ width, more: `&lang=${lang}`, colorScheme });
          await hasNoHorizontalScroll(page);
          await hasNotShifted(page, kLanguageShift);
          await hasReadableText(page);
          assert.ok((await paintedPixels(page)) > 500);
          if (lang === 'en') {
            const words = await page.locator('body').innerText();
            const names = /中文|[^\s]+ [^\s]+县|十八洞猕猴桃|[^\s]+自治县/g;
            assert.doesNotMatch(words.replace(names, ''), /\p{Script=Han}/u);
          }
          await picture(page, `impact-${lang}-${width}-${colorScheme}`);
          if (colorScheme === 'light') await isReachedByKeyboard(page);
          assert.deepEqual(ownNoise(page), []);
        }
      });
    }
  }
  test('numbers are in the units that people use', async () => {
    const page = await openPage();
    // 21 times 612,345; 840 orders.
    assert.equal(await tile(page, 'viewable'), '1290万');
    assert.equal(await tile(page, 'orders'), '840');
    assert.equal(await tile(page, 'income_fen'), '¥1.01万');
    assert.equal(await tile(page, 'weight_g'), '8.4万 斤');
    assert.equal(await tile(page, 'donated_fen'), '¥67.20');
    assert.equal(await tile(page, 'user_loss'), '1.2%');
    assert.match(await text(page, '[data-total=orders]'), /成交 ¥1010万/);
    await page.locator('#lang').click();
    assert.equal(await tile(page, 'viewable'), '12.9M');
    assert.equal(await tile(page, 'weight_g'), '42K kg');
  });
  test('the map has 832 counties; a tap or a name shows one, a province comes closer', async () => {
    const page = await openPage();
    assert.equal(await page.locator('#map circle').count(), 832);
    assert.equal(await page.locator('#map .is-some').count(), 6);
    const largest = page.locator('#map .is-some').first(); // 610524, in the last place of the list
    const { x, y, width, height } = await largest.boundingBox();
    await page.touchscreen.tap(x + width / 2, y + height / 2);
    assert.match(await text(page, '#county'), /陕西 合阳县[^]*367万/);
    assert.equal(await page.locator('#map .is-picked').count(), 1);
    await choose(page, 'pick', '433124');
    assert.match(await text(page, '#county'), /湖南 花垣县[^]*122万/);
    await page.locator('#province').selectOption('43');
    assert.match(await text(page, '#counties tbody'), /^湖南 花垣县[^\n]*$/);
    assert.equal(await page.locator('#map .is-some').count(), 1);
    assert.match(await page.locator('#map svg').getAttribute('aria-label'), /1 个县合计 122万/);
  });
  test('by keyboard: a county from the table, a period with Enter', async () => {
    const page = await openPage();
    await page.locator('[data-action=pick]').first().focus();
    await page.keyboard.press('Enter');
    assert.match(await text(page, '#county'), /县/);
    await page.locator('[data-action=period][data-value=today]').focus();
    await page.keyboard.press('Enter');
    await eventually(() => assert.equal(lastQuery('county').get('step'), 'hour'));
  });
  test('periods are whole days of Beijing; peak days the last there was, by the hour', async () => {
    const page = await openPage();
    const day = (month, date) => Date.UTC(2026, month - 1, date) - 8 * kHourMs;
    for (const [name, from, days, step] of [
      ['today', day(11, 23), 1, 'hour'],
      ['week', day(11, 17), 7, 'day'],
      ['month', day(10, 25), 30, 'day'],
      ['double11', day(11, 11), 1, 'hour'],
      ['charity99', day(9, 9), 1, 'hour'],
    ]) {
      await choose(page, 'period', name);
      await eventually(() => assert.equal(Number(lastQuery('county').get('from')), from));
      const query = lastQuery('county');
      assert.equal(Number(query.get('to')) - from, days * 24 * kHourMs);
      assert.equal(query.get('step'), step);
      // Of today the hours so far, quiet ones too.
      const rows = name === 'today' ? 15 : step === 'hour' ? 24 : days;
      await eventually(async () =>
        assert.ok((await page.locator('#series tbody tr').count()) >= Math.min(rows, 13)),
      );
    }
  });
  test('parts by program, cause and creator, with the labels of programs', async () => {
    const page = await openPage();
    assert.match(
      await text(page, '#parts'),
      /summer-sale\s*广告[^]*十八洞猕猴桃\s*shibadong-kiwi\s*公益/,
    );
    await choose(page, 'by', 'cause');
    await eventually(async () => assert.match(await text(page, '#parts'), /热午餐/));
    await choose(page, 'by', 'creator');
    await eventually(async () => assert.match(await text(page, '#parts'), /creator-130126-1/));
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('#csv').click(),
    ]);
    assert.equal(download.suggestedFilename(), 'impact-creator-week.csv');
    assert.equal(await readFile(await download.path(), 'utf8'), '\ufeffkey,name\r\n"a","b"\r\n');
  });
  test('a measure changes the map, the tables and the best hour', async () => {
    const page = await openPage();
    await choose(page, 'period', 'double11');
    await choose(page, 'measure', 'weight_g');
    await eventually(async () => assert.match(await text(page, '#best'), /21:00，3\.2万 斤/));
    assert.match(await text(page, '#counties thead'), /卖出/);
    await choose(page, 'measure', 'donated_fen');
    assert.match(await text(page, '#best'), /¥25\.60/);
  });
  test('equity: Gini, Lorenz curve and the counties with the fewest', async () => {
    const page = await openPage();
    assert.match(await text(page, '#gini'), /0\.381[^]*6 个/);
    assert.match(await page.locator('#lorenz').getAttribute('aria-label'), /19\.0%/);
    assert.match(await text(page, '#worst'), /河北 灵寿县\s+61\.2万/);
  });
  test('whatever a name contains is text', async () => {
    fake.world.names = { 'summer-sale': kNasty, 'shibadong-kiwi': 'x'.repeat(400) };
    const page = await openPage({ width: 375 });
    assert.equal(await page.locator('#report img, #report script').count(), 0);
    assert.ok((await text(page, '#parts')).includes(kNasty));
    await hasNoHorizontalScroll(page);
    assert.deepEqual(ownNoise(page), []);
  });
  stateTests();
}

function stateTests() {
  test('nothing yet: zeros and words instead of empty charts', async () => {
    fake.world.empty = true;
    const page = await openPage();
    assert.equal(await tile(page, 'viewable'), '0');
    for (const id of ['#chart-empty', '#parts-empty'])
      assert.ok(await page.locator(id).isVisible());
    assert.match(await text(page, '#gini'), /还没有县有商品/);
    assert.equal(await page.locator('#map .is-none').count(), 832);
    assert.deepEqual(ownNoise(page), []);
  });
  test('without a token it asks; one of another role is refused in words', async () => {
    const page = await openPhone(fake.url);
    await page.goto(address());
    await page.locator('#token-form').waitFor();
    fake.world.mode = 'other-role';
    await enterToken(page, kImpactToken);
    await eventually(async () => assert.match(await text(page, '#banner-text'), /没有查看的权限/));
    fake.world.mode = 'ok';
    await enterToken(page, kImpactToken);
    await page.locator('#report').waitFor();
  });
  test('offline: the last numbers stay until the line is back', async () => {
    await survivesOffline(await openPage(), '#totals');
  });
  test('line down, shedding, nonsense: said in words, the last numbers stay', async () => {
    const page = await openPage();
    for (const [mode, words] of [
      ['down', /连不上引擎/],
      ['busy', /引擎正忙/],
      ['broken', /读不懂/],
    ]) {
      fake.world.mode = mode;
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await eventually(async () => assert.match(await text(page, '#banner-text'), words));
      assert.match(await text(page, '#banner-text'), /下面是 \d\d:\d\d:\d\d 的数据/);
      assert.equal(await tile(page, 'orders'), '840');
    }
    fake.world.mode = 'ok';
    await page.locator('#retry').click();
    await page.locator('#banner').waitFor({ state: 'hidden' });
  });
  test('the base map is said to be no approved one', async () => {
    const page = await openPage();
    assert.match(await text(page, '.foot'), /审图号/);
  });
}
