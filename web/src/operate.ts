// The operators' page: what runs, how it goes, and the switches. live_page.ts asks and keeps,
// operate_views.ts draws, operate_dialog.ts asks before anything changes. Address: /operate,
// optionally with ?lang=en.
import { callJson } from './api.js';
import { byId as $, h, morph } from './dom.js';
import { LivePage } from './live_page.js';
import { Dialog } from './operate_dialog.js';
import { type World, worldOf } from './operate_model.js';
import {
  type View,
  experimentCard,
  healthBlock,
  layerCharts,
  programCard,
} from './operate_views.js';
import { type Words, words } from './operate_words.js';

let notice = { lang: '', text: '' }; // of the last change, in the language of then

const page = new LivePage<World, Words>({
  words,
  refreshMs: 5_000,
  asksToken: ['unauthorized', 'forbidden'],
  final: ['unauthorized', 'forbidden'],
  read,
  render,
  forgot: () => {
    notice = { lang: '', text: '' };
  },
});

const view = (): View => ({ lang: page.lang, words: page.words });

const dialog = new Dialog({
  view,
  world: () => page.data?.value ?? null,
  applied: (name) => {
    notice = { lang: page.lang, text: page.words.applied(name) };
    void page.refresh();
  },
});

async function read(signal: AbortSignal): Promise<World> {
  const get = (path: string) => callJson(path, { signal });
  const [programs, experiments, boosting, stats] = await Promise.all([
    get('/v1/programs'),
    get('/v1/experiments'),
    get('/v1/boosting'),
    get('/v1/stats'),
  ]);
  return worldOf(programs, experiments, boosting, stats);
}

function render(): void {
  const said = notice.lang === page.lang ? notice.text : '';
  if ($('notice').textContent !== said) $('notice').textContent = said;
  $('notice').hidden = said === '';
  if (page.data !== null) renderWorld(page.data.value, view());
}

function renderWorld(world: World, now: View): void {
  const { words: w } = now;
  const or = (cards: HTMLElement[], empty: string) =>
    cards.length ? cards : [h('li', { className: 'empty' }, empty)];
  morph($('health'), ...healthBlock(world, now));
  $('refused').hidden = world.errors.length === 0;
  morph($('refused-list'), ...world.errors.map((text) => h('li', {}, text)));
  const programs = world.programs.map((one) => programCard(one, world.health.now, now));
  morph($('programs'), ...or(programs, w.programsEmpty));
  morph($('layers'), ...layerCharts(world.experiments, now));
  const experiments = world.experiments.map((one) => experimentCard(one, now));
  morph($('experiments'), ...or(experiments, w.experimentsEmpty));
}

document.addEventListener('click', (event) => {
  const target = event.target instanceof Element ? event.target.closest('[data-action]') : null;
  if (target instanceof HTMLElement) void dialog.act(target.dataset);
});
page.start();
