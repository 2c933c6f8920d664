// node first_paint.mjs URL..: when each page is first painted by a phone with a quarter of this
// CPU: the median of kRuns loads with an empty cache, in ms. Exit code 1 past kMsMax.
import { createRequire } from 'node:module';
import { web } from './browser.mjs';

const kRuns = 5;
const kSlowdown = 4;
const kMsMax = 1_000;

const { chromium } = createRequire(new URL('package.json', web))('playwright-core');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox'] });
const painted = () =>
  performance.getEntriesByName('first-contentful-paint').map(({ startTime }) => startTime)[0];

async function firstPaint(url) {
  const context = await browser.newContext({ viewport: { width: 375, height: 740 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: kSlowdown });
  await page.goto(url);
  await page.waitForFunction(painted);
  const ms = await page.evaluate(painted);
  await context.close();
  return ms;
}

for (const url of process.argv.slice(2)) {
  const all = [];
  for (let i = 0; i < kRuns; ++i) all.push(await firstPaint(url));
  all.sort((a, b) => a - b);
  const median = all[Math.floor(kRuns / 2)];
  const span = `${all[0].toFixed(0)} to ${all.at(-1).toFixed(0)}`;
  console.log(
    `${url}: first contentful paint ${median.toFixed(0)} ms (${span}), CPU / ${kSlowdown}`,
  );
  if (median > kMsMax) process.exitCode = 1;
}
await browser.close();
