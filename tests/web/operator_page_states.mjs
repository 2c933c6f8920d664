// The operators' page against fake_operator.mjs, in every state that it has.
import assert from 'node:assert/strict';
import { eventually, hasNoHorizontalScroll, openPhone, picture, test, text } from './browser.mjs';
import { enterToken } from './browser.mjs';
import {
  hasNotShifted,
  hasReadableText,
  isReachedByKeyboard,
  survivesOffline,
  watchShifts,
} from './page_checks.mjs';
import { freshWorld, kOperatorToken, startFakeOperator } from './fake_operator.mjs';

let fake;
const kWide = { width: 1280, height: 900 };
const kNarrow = { width: 375, height: 740 };
const kNasty = '<img src=x onerror="document.title=1"><script>1</script>';

export async function freshOperator() {
  fake ??= await startFakeOperator();
  fake.world = freshWorld();
}
export const closeOperator = () => fake?.close();

async function openPage({ viewport = kWide, more = '', colorScheme } = {}) {
  const page = await openPhone(fake.url, { viewport, colorScheme });
  await watchShifts(page);
  await page.goto(`${fake.url}/operate${more}`);
  if (fake.world.token !== '') await enterToken(page, kOperatorToken);
  await page.locator('#report').waitFor();
  return page;
}

const ownNoise = (page) => page.noise.filter((line) => !line.startsWith('Failed to load resource'));
const writes = () =>
  fake.world.requests.filter((r) => r.method !== 'GET' && !r.path.endsWith(':dry_run'));
const toggle = (page, id) => page.locator(`[data-action=toggle][data-id="${id}"]`);
const dialogText = (page) => text(page, '#dialog-body');
const kiwi = (page) => text(page, '[data-program=shibadong-kiwi]');
const apply = (page) => page.locator('#dialog [data-action=apply]');

export function operatorTests() {
  for (const [viewport, name] of [
    [kWide, '1280'],
    [kNarrow, '375'],
  ]) {
    test(`programs and experiments fit ${name} px in both languages, without noise`, async () => {
      const page = await openPage({ viewport });
      assert.equal(await page.locator('#programs > li').count(), 2);
      assert.match(await kiwi(page), /65,000 \/ 130,000/);
      assert.match(await kiwi(page), /频次已满 60\.0%[^]*constructor/);
      assert.match(await text(page, '[data-experiment=stronger-boost]'), /4,021/);
      await hasNoHorizontalScroll(page);
      await picture(page, `operate-zh-${name}`);
      await page.locator('#lang').click();
      assert.equal(await page.locator('html').getAttribute('lang'), 'en');
      const words = (await page.locator('body').innerText()).replace('中文', '');
      assert.doesNotMatch(words, /\p{Script=Han}/u);
      assert.match(words, /forecast 128,000 \(121,000 to 134,000\)/);
      await hasNoHorizontalScroll(page);
      assert.deepEqual(ownNoise(page), []);
      await picture(page, `operate-en-${name}`);
    });
  }
  test('a switch asks first, and goes with the revision that was looked at', async () => {
    const page = await openPage();
    await toggle(page, 'shibadong-kiwi').click();
    await apply(page).waitFor();
    assert.match(await dialogText(page), /不再插入[^]*65,120[^]*130,000/);
    assert.match(await dialogText(page), /512 次请求试排：25\.0%/);
    assert.match(await text(page, '#tried'), /1\.5\s+0\.75[^]*1\.2%\s+0\.6%[^]*1\s+1\.1/);
    assert.match(await text(page, '#tried-programs'), /shibadong-kiwi\s+700\s+0[^]*40\s+96/);
    assert.doesNotMatch(await text(page, '#tried-programs'), /same/);
    assert.equal(writes().length, 0);
    await picture(page, 'operate-confirm');
    await apply(page).click();
    await page.locator('#dialog').waitFor({ state: 'hidden' });
    assert.deepEqual(writes(), [
      {
        method: 'PATCH',
        path: '/v1/programs/shibadong-kiwi',
        body: { enabled: false, if_revision: 'rev-shibadong-kiwi-1' },
      },
    ]);
    await eventually(async () => {
      assert.equal(await toggle(page, 'shibadong-kiwi').getAttribute('aria-checked'), 'false');
    });
    assert.match(await text(page, '#notice'), /十八洞猕猴桃/);
  });
  test('switching on shows what recent traffic says of it', async () => {
    const page = await openPage();
    await toggle(page, 'cold-start').click();
    await apply(page).waitFor();
    const said = await dialogText(page);
    assert.match(said, /31（20 到 39），目标 40, 达不到[^]*more than there is[^]*试排/);
  });
  test('an experiment shows who goes where, in its layer', async () => {
    const page = await openPage();
    await toggle(page, 'stronger-boost').click();
    await apply(page).waitFor();
    const said = await dialogText(page);
    assert.match(said, /stronger：20\.0%，ranking\.user_loss_budget: 0\.03/);
    assert.equal(await page.locator('.layer-chart .taken').count(), 1);
  });
  test('all boosting off is said on the page', async () => {
    const page = await openPage();
    await toggle(page, 'all').click();
    await apply(page).click();
    await page.locator('#boosting-off').waitFor();
    assert.deepEqual(writes().at(-1).body, { enabled: false, if_revision: 'b1' });
  });
  failureTests();
  keyboardTests();
  resultTests();
  rampTests();
  everywhereTests();
}

function failureTests() {
  test('somebody was faster: said, with who it was, and nothing applied', async () => {
    const page = await openPage();
    await toggle(page, 'shibadong-kiwi').click();
    await apply(page).waitFor();
    fake.world.faster = true;
    await apply(page).click();
    await eventually(async () => {
      assert.match(await dialogText(page), /已经有人改过[^]*zhao/);
    });
    assert.equal(fake.world.programs[0].enabled, true);
    await picture(page, 'operate-conflict');
    fake.world.faster = false;
    await page.locator('[data-action=again]').click();
    await apply(page).click();
    await page.locator('#dialog').waitFor({ state: 'hidden' });
    assert.equal(fake.world.programs[0].enabled, false);
  });
  test('refused files stand on the page with file, line and column', async () => {
    const line = 'programs/a.yaml:12:5: goals[0].unit: is "look", must be viewable, click or order';
    fake.world.errors = [line];
    fake.world.programs[0].refused = [line];
    fake.world.degraded = { timeout: 3 };
    const page = await openPage();
    assert.ok((await text(page, '#refused')).includes(line));
    assert.ok((await kiwi(page)).includes(line));
    assert.match(await text(page, '#degraded'), /timeout 3/);
  });
  test('whatever a name contains is text', async () => {
    const nasties = [kNasty, '\u202eabc', '𠜎👩‍👩‍👧‍👦'.repeat(40), 'x'.repeat(400), '=1+1'];
    fake.world.programs = nasties.map((name, n) => ({
      ...freshWorld().programs[0],
      id: n === 0 ? kNasty : `p-${n}`,
      name: { 'zh-CN': name, en: name },
      refused: [name],
    }));
    fake.world.experiments[0].name = { 'zh-CN': kNasty, en: kNasty };
    fake.world.experiments[0].variations[0].key = kNasty;
    fake.world.errors = nasties;
    for (const viewport of [kWide, kNarrow]) {
      const page = await openPage({ viewport });
      assert.equal(await page.locator('#report img, #report script').count(), 0);
      assert.ok((await text(page, '#programs')).includes(kNasty));
      await hasNoHorizontalScroll(page);
      await page.locator('#programs [data-action=toggle]').first().click();
      await apply(page).waitFor();
      assert.ok((await text(page, '#dialog-title')).includes(kNasty));
      assert.deepEqual(ownNoise(page), []);
    }
  });
  test('line down, shedding, nonsense: said in words, the last numbers stay', async () => {
    const page = await openPage();
    await page.clock.install();
    for (const [mode, words] of [
      ['down', /连不上引擎/],
      ['busy', /引擎正忙/],
      ['broken', /读不懂/],
    ]) {
      fake.world.mode = mode;
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await eventually(async () => assert.match(await text(page, '#banner-text'), words));
      assert.equal(await page.locator('#programs > li').count(), 2);
    }
    fake.world.mode = 'ok';
    await page.locator('#retry').click();
    await page.locator('#banner').waitFor({ state: 'hidden' });
  });
  test('a wrong token and another role are refused in words, nothing is shown', async () => {
    const page = await openPhone(fake.url, { viewport: kWide });
    await page.goto(`${fake.url}/operate`);
    await enterToken(page, 'wrong');
    await eventually(async () => assert.match(await text(page, '#banner-text'), /口令不对/));
    fake.world.mode = 'other-role';
    await enterToken(page, kOperatorToken);
    await eventually(async () => assert.match(await text(page, '#banner-text'), /没有运营权限/));
    assert.equal(await page.locator('#report').isVisible(), false);
  });
  test('nothing yet: words instead of lists', async () => {
    Object.assign(fake.world, { programs: [], experiments: [], token: '' });
    const page = await openPage();
    assert.match(await text(page, '#report'), /还没有计划[^]*还没有实验/);
  });
}

function keyboardTests() {
  test('a refresh keeps focus, and everything is reached by keyboard', async () => {
    const page = await openPage();
    await toggle(page, 'shibadong-kiwi').focus();
    fake.world.programs[0].goals[0].delivered = 66000;
    fake.world.programs.reverse();
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await eventually(async () => {
      assert.match(await kiwi(page), /66,000/);
    });
    const focused = () => page.evaluate(() => document.activeElement?.dataset.id);
    assert.equal(await focused(), 'shibadong-kiwi');
    await page.keyboard.press('Space');
    await apply(page).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#dialog').waitFor({ state: 'hidden' });
    assert.equal(await focused(), 'shibadong-kiwi');
    assert.equal(writes().length, 0);
  });
  test('history shows who changed what, and a revert goes by revision', async () => {
    const page = await openPage();
    await page.locator('[data-experiment=stronger-boost] [data-action=history]').click();
    await eventually(async () => {
      assert.match(await dialogText(page), /li；覆盖从 50\.0% 到 80\.0%；改了 时间[^]*wang；新建/);
    });
    await page.locator('[data-action=revert]').click();
    await apply(page).waitFor();
    assert.equal(await text(page, '#diff-said'), '覆盖从 80.0% 到 50.0%；关闭；改了 分组');
    assert.match(await text(page, '.diff'), /- coverage: 0\.8[^]*\+ coverage: 0\.5 # half/);
    await apply(page).click();
    await page.locator('#dialog').waitFor({ state: 'hidden' });
    assert.deepEqual(writes().at(-1).body, { to: 'r1', if_revision: 'r2' });
  });
}

const lifts = (page, metric) => text(page, `[data-metric=${metric}] .lifts`);

async function openResults(page) {
  await page.locator('[data-experiment=stronger-boost] [data-action=results]').click();
  await page.locator('#summary').waitFor();
}

function resultTests() {
  for (const [viewport, name] of [
    [kWide, '1280'],
    [kNarrow, '375'],
  ]) {
    test(`results fit ${name} px: what is sure, with the intervals drawn and written`, async () => {
      const page = await openPage({ viewport });
      await openResults(page);
      assert.match(await dialogText(page), /没有确定变差[^]*0\.43[^]*4,021[^]*3,987[^]*3 位观众/);
      const boosted = await lifts(page, 'boosted');
      assert.match(boosted, /\+20\.0%\s+\+11\.0% 到 \+29\.0%[^]*\+14\.0% 到 \+26\.0%/);
      assert.match(boosted, /p 0\.012[^]*CUPED[^]*\+12\.8% 到 \+27\.2%/);
      assert.match(await text(page, '[data-metric=boosted] .verdict'), /确定变好/);
      assert.match(await text(page, '[data-metric=ctr]'), /还不能定[^]*最多差 5\.0%，确定守住了/);
      const order = await page.locator('[data-metric] h3').allInnerTexts();
      assert.deepEqual(order, ['点击率', '助力曝光']); // guardrails first
      assert.equal(await page.locator('.lift-chart').count(), 2);
      assert.equal(await page.locator('.lift-chart .limit').count(), 1);
      await hasNoHorizontalScroll(page);
      await picture(page, `operate-results-${name}`);
      assert.deepEqual(ownNoise(page), []);
    });
  }
  test('an earlier phase is looked at from the list of phases', async () => {
    const page = await openPage();
    await openResults(page);
    await page.locator('[data-phase="11111111"]').click();
    await eventually(async () => assert.match(await dialogText(page), /以前的阶段不再核对/));
    const pressed = page.locator('.phase[aria-pressed=true]');
    assert.equal(await pressed.getAttribute('data-phase'), '11111111');
  });
  test('a sample ratio alarm and a broken guardrail come before every number', async () => {
    const [, ctr] = fake.world.results.metrics;
    ctr.variations[1].guardrail = 'breached';
    const page = await openPage({ more: '?lang=en' });
    await openResults(page);
    assert.match(await text(page, '#summary'), /guardrail is surely broken/);
    await page.locator('[data-action=close]').click();
    fake.world.results.sample_ratio = { p: 1e-9, alarm: true };
    await openResults(page);
    assert.match(await text(page, '#summary'), /Read no numbers yet/);
    assert.match(await text(page, '#sample-ratio'), /p = 1\.0e-9[^]*no number below/);
    assert.equal(await page.locator('#sample-ratio').getAttribute('role'), 'alert');
  });
  test('nobody yet, no ratio yet, a nasty name: said, nothing drawn', async () => {
    const [boosted, ctr] = fake.world.results.metrics;
    Object.assign(boosted.variations[1].lift, { relative: null, relative_sequential: null });
    Object.assign(boosted.variations[1].lift_cuped, { relative_sequential: null });
    ctr.name = { 'zh-CN': kNasty, en: kNasty };
    const page = await openPage();
    await openResults(page);
    assert.match(await text(page, '[data-metric=boosted]'), /确定变好[^]*算不出比例；相差 0\.02/);
    assert.equal(await page.locator('[data-metric=boosted] svg').count(), 0);
    assert.ok((await text(page, '[data-metric=ctr]')).includes(kNasty));
    await page.locator('[data-action=close]').click();
    for (const one of fake.world.results.variations) one.viewers = 0;
    await openResults(page);
    assert.match(await dialogText(page), /还没有观众遇到它/);
    assert.equal(await page.locator('.lift-chart').count(), 0);
  });
}

function rampTests() {
  const card = (page) => text(page, '[data-experiment=stronger-boost]');
  test('a ramp says what holds it; it is approved, held and let go on', async () => {
    const page = await openPage();
    assert.match(await card(page), /要另一位运营批准[^]*现在 80\.0%，下一步 100%[^]*1\.0% →/);
    assert.match(await card(page), /时间 2026\/11\/10/);
    await page.locator('[data-action=approve]').click();
    await apply(page).waitFor();
    assert.match(await dialogText(page), /可到 100%[^]*li；覆盖从/);
    await apply(page).click();
    await eventually(async () => assert.match(await card(page), /可以进下一步[^]*li 已批准/));
    assert.equal(writes().at(-1).path, '/v1/experiments/stronger-boost/approve');
    for (const [action, words] of [
      ['hold', /有人按住了/],
      ['go', /等这一步满时间/],
    ]) {
      await page.locator(`[data-action=${action}]`).click();
      await apply(page).click();
      await eventually(async () => assert.match(await card(page), words));
      assert.deepEqual(writes().at(-1).body.ramp, { held: action === 'hold' });
    }
  });
  test('what results hold against an experiment stands on its card', async () => {
    const why = 'surely worse: ctr of stronger';
    fake.world.experiments[0].alarm = { kind: 'guardrail', why };
    const page = await openPage();
    assert.match(await card(page), /护栏指标变差。\s+surely worse: ctr of stronger/);
  });
  test('what an unknown state of a ramp says stands in the words of the engine', async () => {
    Object.assign(fake.world.experiments[0].ramp, { state: 'constructor', why: kNasty });
    const page = await openPage();
    assert.ok((await card(page)).includes(kNasty));
  });
  test('a switch that cannot be tried out says why, and can be applied', async () => {
    fake.world.dryRun = null;
    const page = await openPage();
    await toggle(page, 'stronger-boost').click();
    await page.locator('#not-tried').waitFor();
    assert.match(await text(page, '#not-tried'), /现在不能试排。 remembered requests: 3/);
    await apply(page).click();
    await page.locator('#dialog').waitFor({ state: 'hidden' });
  });
  test('what viewers see on the items of a program stands on its card', async () => {
    const page = await openPage();
    assert.match(await kiwi(page), /公益: 助农好物/);
  });
}

// Each question of the page, as its dialog shows it, with what to wait for.
const kQuestions = [
  ['[data-program=shibadong-kiwi] [data-action=toggle]', '#tried'],
  ['[data-program=cold-start] [data-action=toggle]', '#tried'],
  ['[data-experiment=stronger-boost] [data-action=results]', '#result-viewers'],
  ['[data-experiment=stronger-boost] [data-action=history]', '.history'],
];

function everywhereTests() {
  for (const colorScheme of ['light', 'dark']) {
    for (const [viewport, more] of [
      [kWide, '?lang=en'],
      [kNarrow, '?lang=zh'],
    ]) {
      const name = `${colorScheme}, ${viewport.width} px`;
      test(`${name}: text can be read, in alarm and with every question open`, async () => {
        fake.world.errors = ['programs/a.yaml:12:5: goals[0].unit: is "look"'];
        fake.world.degraded = { timeout: 3 };
        fake.world.programs[0].blocked = true;
        fake.world.results.metrics[1].variations[1].guardrail = 'breached';
        fake.world.results.sample_ratio.alarm = true;
        const page = await openPage({ viewport, more, colorScheme });
        await hasReadableText(page);
        for (const [button, shown] of kQuestions) {
          await page.locator(button).click();
          await page.locator(shown).waitFor();
          await hasReadableText(page);
          await hasNoHorizontalScroll(page);
          await page.locator('#dialog [data-action=close]').click();
        }
        await picture(page, `operate-${colorScheme}-${viewport.width}`);
        fake.world.mode = 'down';
        await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
        await page.locator('#banner').waitFor();
        await hasReadableText(page);
      });
    }
  }
  test('nothing moves by itself, neither at first nor when numbers change', async () => {
    for (const viewport of [kWide, kNarrow]) {
      fake.world = freshWorld();
      fake.world.token = '';
      const page = await openPage({ viewport });
      fake.world.programs[0].goals[0].delivered = 66000;
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await eventually(async () => assert.match(await kiwi(page), /66,000/));
      await hasNotShifted(page);
    }
  });
  test('Tab alone reaches every control, of the page and of a dialog', async () => {
    const page = await openPage();
    await isReachedByKeyboard(page);
    await page.locator('[data-experiment=stronger-boost] [data-action=results]').click();
    await page.locator('#result-viewers').waitFor();
    await isReachedByKeyboard(page);
  });
  test('without a line the last numbers stay, and it says so', async () => {
    const page = await openPage();
    await survivesOffline(page, '#programs');
  });
}
