// node pictures_day.mjs URL DIR TO: the creator's and the impact page of a running engine whose day
// ended at TO [ms], at phone and desk width.
import { createRequire } from 'node:module';
import { web } from './browser.mjs';

const [url, folder, to] = process.argv.slice(2);
const { chromium } = createRequire(new URL('package.json', web))('playwright-core');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox'] });
for (const [name, path, lang, width, height, dark] of [
  ['creator-phone', '/creator?id=creator-433124-1', 'zh', 375, 1400, false],
  ['creator-desk', '/creator?id=creator-433124-1', 'en', 1280, 1000, true],
  ['impact-phone', '/impact?', 'zh', 375, 1400, true],
  ['impact-desk', '/impact?', 'en', 1280, 1000, false],
]) {
  const colorScheme = dark ? 'dark' : 'light';
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(`${url}${path}&lang=${lang}&to=${to}`);
  await page.locator('#report').waitFor();
  if (path.startsWith('/impact')) {
    await page.locator('[data-action=period][data-value=double11]').click();
    await page.locator('[data-action=pick]').first().click();
    await page.locator('.figures').waitFor();
  }
  await page.locator('.waiting').waitFor({ state: 'detached' });
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.close();
}
await browser.close();
