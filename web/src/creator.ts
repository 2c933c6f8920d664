// A creator's exposure, for a farmer with a phone: live_page.ts asks and keeps, report.ts and
// chart.ts draw. Address: /creator?id=<creator_id>, optionally &lang=en and &to=<ms>, the end of
// the ranges (for replayed or simulated days).
import { ApiError, type Exposure, type Range, fetchCsv, fetchExposure, idIsValid } from './api.js';
import { Chart, exposureOption, filled } from './chart.js';
import { byId as $ } from './dom.js';
import { count } from './format.js';
import { LivePage } from './live_page.js';
import * as report from './report.js';
import { saveCsv } from './save.js';
import { type Words, words } from './words.js';

const kHourMs = 3_600_000;
const kDayMs = 86_400_000;
const kBeijingMs = 8 * kHourMs; // no daylight saving
const kRanges: Record<string, { days: number; step: 'hour' | 'day' }> = {
  day: { days: 1, step: 'hour' },
  week: { days: 7, step: 'day' },
  month: { days: 30, step: 'day' },
};

// Numbers with what they are of, so that none are shown under another heading.
interface Answer {
  exposure: Exposure;
  range: Range;
  name: string; // nameNow() of then
}

const query = new URLSearchParams(location.search);
const id = query.get('id') ?? '';
const chart = new Chart($('chart'));
const state = { range: 'day', by: 'item', allItems: false }; // `by`: what the table has rows of
const nameNow = () => `${state.range}/${state.by}`;

const page = new LivePage<Answer, Words>({
  words,
  tokenKey: 'shanhuo.creator_token',
  refreshMs: 30_000,
  asksToken: ['unauthorized', 'forbidden', 'not_found'],
  final: ['no_id', 'bad_id', 'unauthorized', 'forbidden', 'not_found', 'refused'],
  read: async (token, signal) => {
    if (id === '') throw new ApiError('no_id');
    if (!idIsValid(id)) throw new ApiError('bad_id');
    const name = nameNow();
    const range = rangeNow();
    return { exposure: await fetchExposure(id, range, token, signal), range, name };
  },
  holds: ({ name }) => name === nameNow(),
  render,
});

// [from, to) on whole hours, which is how exposure is kept; days are Beijing's.
function rangeNow(): Range {
  const { days, step } = kRanges[state.range] ?? { days: 1, step: 'hour' };
  const given = Number(query.get('to'));
  const now = Number.isSafeInteger(given) && given > 0 ? given - 1 : Date.now();
  const to = (Math.floor(now / kHourMs) + 1) * kHourMs;
  const today = Math.floor((now + kBeijingMs) / kDayMs) * kDayMs - kBeijingMs;
  const from = step === 'hour' ? to - days * kDayMs : today - (days - 1) * kDayMs;
  return { from, to, step, by: state.by };
}

const byButtons = () => $('bys').querySelectorAll<HTMLElement>('[data-by]');
const rangeButtons = () => $('ranges').querySelectorAll<HTMLElement>('[data-range]');

function render(): void {
  const code = page.error?.code;
  const noId = code === 'no_id' || code === 'bad_id';
  $('who').textContent = id;
  $('id-form').hidden = !noId;
  $('ranges').hidden = noId || page.asksToken;
  for (const button of rangeButtons()) {
    button.setAttribute('aria-pressed', String(button.dataset.range === state.range));
  }
  for (const button of byButtons()) {
    button.setAttribute('aria-pressed', String(button.dataset.by === state.by));
  }
  $('report').setAttribute('aria-busy', String(page.loading));
  const answer = page.data?.value;
  $('report').classList.toggle('waiting', answer !== undefined && answer.name !== nameNow());
  if (answer !== undefined) renderReport(answer);
}

function renderReport({ exposure, range }: Answer): void {
  const { words: w, lang } = page;
  const { totals, groups } = exposure;
  const points = filled(exposure.series, range);
  report.renderTotals($('totals'), totals, w);
  report.renderSeries($('series'), points, range.step, lang, w);
  report.renderGuarantees($('guarantees'), exposure.guarantees, w);
  report.renderItems($('items'), groups, { all: state.allItems, by: range.by }, w);
  report.renderReasons($('reasons'), exposure.not_shown, w);
  $('items').hidden = groups.length === 0;
  $('items-empty').hidden = groups.length > 0;
  $('items-more').hidden = !report.itemsAreCut(groups, state.allItems);
  $('items-more').textContent = w.itemsMore(count(groups.length));
  $('chart').hidden = points.length === 0;
  $('series-details').hidden = points.length === 0;
  $('chart-empty').hidden = points.length > 0;
  $('chart').setAttribute(
    'aria-label',
    w.chartLabel(count(totals.served), count(totals.viewable), count(totals.boosted_viewable)),
  );
  // The chart measures its element, so it comes after everything is laid out.
  if (points.length > 0) chart.draw(exposureOption(points, range.step, lang, w));
}

async function downloadCsv() {
  const button = $<HTMLButtonElement>('csv');
  if (page.data === null) return;
  button.disabled = true;
  try {
    const range = page.data.value.range;
    const text = await fetchCsv(id, range, page.token);
    saveCsv(text, `exposure-${id}-${state.range}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    page.fail(error);
  } finally {
    button.disabled = false;
  }
}

function wire(): void {
  $('csv').addEventListener('click', downloadCsv);
  $('items-more').addEventListener('click', () => {
    state.allItems = true;
    page.render();
  });
  for (const button of byButtons()) {
    button.addEventListener('click', () => {
      state.by = button.dataset.by ?? 'item';
      state.allItems = false;
      void page.refresh();
    });
  }
  for (const button of rangeButtons()) {
    button.addEventListener('click', () => {
      state.range = button.dataset.range ?? 'day';
      void page.refresh();
    });
  }
}

wire();
page.start();
