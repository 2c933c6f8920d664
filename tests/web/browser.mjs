// What the browser tests of the pages share: a phone, what is read from a page, and the run.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

export const web = new URL('../../web/', import.meta.url);
const { chromium } = createRequire(new URL('package.json', web))('playwright-core');
const kPhone = { width: 360, height: 740 };
const kArgs = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const kTileNames = ['served', 'viewable', 'unique_viewers', 'clicks', 'orders', 'amount_fen'];
const kWaitMs = 30_000; // a machine that does much else needs some

let browser;
const tests = [];

export const test = (name, run) => tests.push({ name, run });

// Polls until check() no longer throws; then, or after kWaitMs, throws what check() throws.
export async function eventually(check) {
  const end = Date.now() + kWaitMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

// A fresh phone: no storage from earlier tests. `noise` collects console errors, page errors and
// foreign requests.
export async function openPhone(base, { viewport = kPhone, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({
    viewport,
    colorScheme,
    deviceScaleFactor: 2,
    hasTouch: true,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(kWaitMs);
  page.noise = [];
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && page.noise.push(m.text()));
  page.on('pageerror', (e) => page.noise.push(String(e)));
  page.on(
    'request',
    (r) => !r.url().startsWith(base) && !r.url().startsWith('blob:') && page.noise.push(r.url()),
  );
  return page;
}

export const addressOf = (base, id, more = '') =>
  `${base}/creator?id=${encodeURIComponent(id)}${more}`;
// Of the range that the page shows; what it compares with ends earlier.
export function isExposure(response) {
  const { pathname, searchParams } = new URL(response.url());
  return pathname.endsWith('/exposure') && Number(searchParams.get('to')) > Date.now();
}
export const text = (page, selector) => page.locator(selector).innerText();
export const digits = (shown) => Number(shown.replace(/[^\d.-]/g, ''));

export async function enterToken(page, token) {
  await page.locator('#token-input').fill(token);
  await page.locator('#token-form button').click();
}

export async function tilesEqual(page, totals) {
  for (const name of kTileNames) {
    const shown = digits(await text(page, `[data-total=${name}] .value`));
    const want = name === 'amount_fen' ? totals[name] / 100 : totals[name];
    assert.equal(shown, want, `tile ${name}`);
  }
  const boosted = await text(page, '[data-total=boosted] .value');
  if (totals.viewable === 0) assert.equal(boosted, '—');
  else
    assert.ok(
      Math.abs(digits(boosted) - (totals.boosted_viewable * 100) / totals.viewable) <= 0.051,
      boosted,
    );
}

export async function hasNoHorizontalScroll(page) {
  const { inner, outer } = await page.evaluate(() => ({
    inner: document.documentElement.scrollWidth,
    outer: window.innerWidth,
  }));
  assert.ok(inner <= outer, `page is ${inner} px wide on a screen of ${outer}`);
}

// Pixels of the chart's canvas that have a color: an empty chart has none.
export async function paintedPixels(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector('#chart canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let i = 0; i < data.length; i += 4) {
      const rgb = data.slice(i, i + 3);
      if (data[i + 3] > 0 && Math.max(...rgb) - Math.min(...rgb) > 30) ++painted;
    }
    return painted;
  });
}

export async function picture(page, name) {
  if (process.env.SCREENSHOTS)
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
}

// Runs every test(), each after `before`; prints a line for each and the sum. -> the exit code.
export async function runTests(before) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: kArgs });
  let failed = 0;
  for (const { name, run } of tests) {
    try {
      await before();
      await run();
      console.log(`ok      ${name}`);
    } catch (error) {
      ++failed;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
    for (const context of browser.contexts()) await context.close();
  }
  await browser.close();
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}
