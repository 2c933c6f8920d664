// What every page must hold, in whatever state: text that can be read (WCAG 2.1 AA, 1.4.3), nothing
// that moves by itself, every control within reach of the keyboard with its focus to be seen, and
// last numbers that stay when the line is gone.
import assert from 'node:assert/strict';
import { eventually, text } from './browser.mjs';

// Of each text that is seen, the contrast of its colour with what lies behind it; those that are
// too low. Inside the open dialog alone, when one is open: the rest is inert then.
export async function hasReadableText(page) {
  const faults = await page.evaluate(() => {
    const parse = (color) => {
      const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
      return { r, g, b, a };
    };
    const over = (front, back) => {
      const mix = (name) => front[name] * front.a + back[name] * (1 - front.a);
      return { r: mix('r'), g: mix('g'), b: mix('b'), a: 1 };
    };
    const channel = (value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    };
    const luminance = ({ r, g, b }) =>
      0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    // What lies behind an element's text: the backgrounds of it and its ancestors.
    const behind = (element) => {
      if (!element) return { r: 255, g: 255, b: 255, a: 1 };
      const own = parse(getComputedStyle(element).backgroundColor);
      return own.a === 1 ? own : over(own, behind(element.parentElement));
    };
    const opacityOf = (element) =>
      element ? Number(getComputedStyle(element).opacity) * opacityOf(element.parentElement) : 1;
    const isSeen = (element) => {
      const { width, height } = element.getBoundingClientRect();
      const { visibility, clipPath } = getComputedStyle(element);
      return width > 1 && height > 1 && visibility === 'visible' && clipPath === 'none';
    };
    const hasText = (element) =>
      [...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.nodeValue.trim());
    const root = document.querySelector('dialog[open]') ?? document.body;
    const faults = [];
    for (const element of root.querySelectorAll('*')) {
      if (element instanceof SVGElement || element.closest(':disabled, noscript')) continue;
      if (!hasText(element) || !isSeen(element)) continue;
      const back = behind(element);
      const style = getComputedStyle(element);
      const front = parse(style.color);
      const seen = over({ ...front, a: front.a * opacityOf(element) }, back);
      const [dark, light] = [luminance(seen), luminance(back)].sort((a, b) => a - b);
      const ratio = (light + 0.05) / (dark + 0.05);
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (isLarge ? 3 : 4.5)) {
        faults.push(`${ratio.toFixed(2)} "${element.textContent.trim().slice(0, 30)}"`);
      }
    }
    return faults;
  });
  assert.deepEqual(faults, []);
}

// Before the page is opened: sums what moves by itself, as browsers score it.
export function watchShifts(page) {
  return page.addInitScript(() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        const moved = entry.sources.map(({ node }) => node?.id || node?.className || '?');
        window.shifts.push({ value: entry.value, moved: moved.join() });
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
}

export async function hasNotShifted(page, most = 0) {
  const shifts = await page.evaluate(() => window.shifts);
  const sum = shifts.reduce((all, { value }) => all + value, 0);
  assert.ok(sum <= most, `shifted by ${sum}: ${JSON.stringify(shifts)}`);
}

// Every control that is seen gets the focus by Tab alone, and shows it.
export async function isReachedByKeyboard(page) {
  const controls = await page.evaluate(() => {
    const root = document.querySelector('dialog[open]') ?? document.body;
    const all = [
      ...root.querySelectorAll('button, input, select, a[href], summary, [tabindex="0"]'),
    ];
    const seen = all.filter((e) => e.checkVisibility({ checkVisibilityCSS: true }) && !e.disabled);
    seen.forEach((element, n) => element.setAttribute('data-tab-check', n));
    document.activeElement?.blur();
    return seen.length;
  });
  const reached = new Set();
  for (let presses = 0; presses < controls + 5 && reached.size < controls; ++presses) {
    await page.keyboard.press('Tab');
    const { at, outline } = await page.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return {
        at: element.getAttribute('data-tab-check'),
        outline: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth),
      };
    });
    if (at === null) continue;
    assert.ok(outline >= 2, `control ${at} does not show its focus`);
    reached.add(at);
  }
  assert.equal(reached.size, controls, 'controls that Tab reaches');
}

// The line is gone: said in words, while `selector` shows what it showed; then it is back.
export async function survivesOffline(page, selector) {
  const before = await text(page, selector);
  const look = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.context().setOffline(true);
  await look();
  await page.locator('#banner').waitFor();
  assert.match(await text(page, '#banner-text'), /连不上|cannot be reached|no connection/i);
  assert.equal(await text(page, selector), before);
  await page.context().setOffline(false);
  await page.locator('#retry').click();
  await eventually(async () => assert.equal(await page.locator('#banner').isHidden(), true));
}
