// The sign-in page: a token in, and the pages that it opens.
import { ApiError } from './api.js';
import { byId as $, h, morph } from './dom.js';
import { LivePage } from './live_page.js';
import { type Who, whoIsIt } from './session.js';
import { words as ofCreators } from './words.js';

const words = {
  zh: {
    ...ofCreators.zh,
    title: '登录',
    pageTitle: '登录 · 山货',
    pages: '可以打开的页面',
    creator: '我的曝光',
    operate: '运营',
    impact: '公益影响',
    none: '这个口令是给程序用的，没有可以打开的页面。',
    foot: '口令由您的平台发放。',
  },
  en: {
    ...ofCreators.en,
    title: 'Sign in',
    pageTitle: 'Sign in · Shanhuo',
    pages: 'Pages for you',
    creator: 'My exposure',
    operate: 'Operate',
    impact: 'Impact',
    none: 'This token is for programs; it opens no page.',
    foot: 'Your platform gives out the tokens.',
  },
};

const page = new LivePage<Who, (typeof words)['zh']>({
  words,
  refreshMs: 300_000,
  asksToken: ['unauthorized'],
  final: ['unauthorized', 'forbidden', 'refused'],
  read: async (signal) => {
    const who = await whoIsIt(signal);
    if (who === null) throw new ApiError('unauthorized');
    return who;
  },
  render,
});

function pagesOf(who: Who): [string, string][] {
  const { words: w } = page;
  const creator = `/creator${who.creatorId ? `?id=${encodeURIComponent(who.creatorId)}` : ''}`;
  const ofOperators: [string, string][] = [
    ['/operate', w.operate],
    ['/impact', w.impact],
  ];
  if (who.role === 'creator') return [[creator, w.creator]];
  if (who.role === 'operator') return ofOperators;
  return who.role === 'admin' ? [...ofOperators, [creator, w.creator]] : [];
}

function render(): void {
  const who = page.data?.value;
  $('who').textContent = who?.name ?? '';
  if (who === undefined) return;
  const links = pagesOf(who).map(([href, text]) => h('li', {}, h('a', { href }, text)));
  morph($('pages'), ...(links.length > 0 ? links : [h('li', {}, page.words.none)]));
}

page.start();
