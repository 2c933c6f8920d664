// node pictures.mjs URL DIR: the operators' page of a running engine at desk and phone width.
import { createRequire } from 'node:module';
import { web } from './browser.mjs';

const [url, folder] = process.argv.slice(2);
const { chromium } = createRequire(new URL('package.json', web))('playwright-core');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox'] });
for (const [name, lang, width, height, dark] of [
  ['operator-desk', 'en', 1280, 900, false],
  ['operator-phone', 'zh', 375, 740, false],
  ['operator-confirm', 'en', 1280, 900, true],
  ['results-desk', 'en', 1280, 900, false],
  ['results-phone', 'zh', 375, 740, false],
]) {
  const colorScheme = dark ? 'dark' : 'light';
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(`${url}/operate?lang=${lang}`);
  await page.locator('#programs [data-action=toggle]').first().waitFor();
  if (name === 'operator-confirm') {
    await page.locator('[data-action=toggle][data-kind=program]').nth(1).click();
    await page.locator('#dialog [data-action=apply]').waitFor();
  }
  if (name.startsWith('results')) {
    await page.locator('[data-experiment=fewer-repeats] [data-action=results]').click();
    await page.locator('#result-viewers').waitFor();
  }
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.close();
}
await browser.close();
