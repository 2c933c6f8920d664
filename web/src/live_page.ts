// What every page that shows the engine's numbers does alike: it asks for them again and again
// while somebody looks, keeps the last good ones when the engine cannot be reached and says so,
// lets people sign in where they must, and speaks two languages. The page itself says what to read
// and how to draw it.
//
// The page's HTML has the elements #lang, #forget, #banner with #banner-text and #retry,
// #token-form with #token-input, #loading beside #updated, and #report, which holds the numbers.
import { ApiError, type ErrorCode, tokenIsSendable } from './api.js';
import { byId as $, translate } from './dom.js';
import { type Lang, clock } from './format.js';
import { type Who, signIn, signOut, whoIsIt } from './session.js';
import { recall, remember } from './storage.js';

const kLangKey = 'shanhuo.lang';

// The words that this module says; a page's words have them besides its own.
export type LiveWords = {
  pageTitle: string;
  otherLanguage: string;
  needToken: string;
  tokenBad: string;
  loading: string;
  updated: (time: string) => string;
  stale: (time: string) => string;
  error: Record<ErrorCode, string>;
};

export interface LiveHost<Data, Words> {
  words: Record<Lang, Words>;
  refreshMs: number;
  asksToken: ErrorCode[]; // failures that another token may end
  final: ErrorCode[]; // failures that only the reader can end: the numbers go, polling stops
  read: (signal: AbortSignal) => Promise<Data>; // throws ApiError
  render: () => void; // draws what is the page's own; the frame is drawn already
  // Whether numbers of an earlier answer still stand under the right heading.
  holds?: (data: Data) => boolean;
  forgot?: () => void; // the reader signed out
}

export class LivePage<Data, Words extends LiveWords> {
  data: { value: Data; at_ms: number } | null = null; // the last good answer
  error: ApiError | null = null; // of the last attempt
  loading = false;
  who: Who | null = null; // nobody, or not known yet
  private readonly host_: LiveHost<Data, Words>;
  private lang_: string;
  private hadToken_ = false; // a token was tried and refused, or given up
  private tokenBad_ = false; // what was typed is no token
  private timer_ = 0;
  private inFlight_: AbortController | null = null; // of the running request

  constructor(host: LiveHost<Data, Words>) {
    this.host_ = host;
    this.lang_ = new URLSearchParams(location.search).get('lang') ?? recall(kLangKey) ?? 'zh';
  }

  get lang(): Lang {
    return this.lang_ === 'en' ? 'en' : 'zh';
  }

  get words(): Words {
    return this.host_.words[this.lang];
  }

  get asksToken(): boolean {
    return this.error !== null && this.host_.asksToken.includes(this.error.code);
  }

  // Listens and begins. Once.
  start(): void {
    $('token-form').addEventListener('submit', (event) => void this.submitToken(event));
    $('retry').addEventListener('click', () => void this.refresh());
    $('forget').addEventListener('click', () => this.forget());
    $('lang').addEventListener('click', () => {
      this.lang_ = this.lang === 'en' ? 'zh' : 'en';
      remember(kLangKey, this.lang_);
      this.render();
    });
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.timer_);
      if (this.polls()) void this.refresh();
    });
    void this.refresh();
    void this.lookWho();
  }

  // Asks now; an answer to an earlier question no longer counts.
  async refresh(): Promise<void> {
    this.stop();
    const mine = new AbortController();
    this.inFlight_ = mine;
    this.loading = true;
    this.render();
    try {
      const value = await this.host_.read(mine.signal);
      if (mine !== this.inFlight_) return;
      this.data = { value, at_ms: Date.now() };
      this.error = null;
    } catch (error) {
      if (mine !== this.inFlight_) return; // a newer request took over
      if (!(error instanceof ApiError)) throw error;
      this.take(error);
    }
    this.loading = false;
    this.inFlight_ = null;
    this.render();
    this.schedule();
  }

  // A failure of a call that the page made beside refresh().
  fail(error: ApiError): void {
    this.take(error);
    this.render();
    this.schedule();
  }

  render(): void {
    const { words: w, lang } = this;
    document.documentElement.lang = lang === 'en' ? 'en' : 'zh-CN';
    document.title = w.pageTitle;
    translate(w);
    $('lang').textContent = w.otherLanguage;
    $('lang').lang = lang === 'en' ? 'zh-CN' : 'en';
    $('token-form').hidden = !this.asksToken;
    $('forget').hidden = !this.who?.hasSession;
    this.renderBanner();
    // Only the first load is announced: a voice at every refresh would be a nuisance.
    $('loading').textContent = this.loading && this.data === null ? w.loading : '';
    $('updated').textContent = this.data === null ? '' : w.updated(clock(this.data.at_ms, lang));
    $('updated').parentElement?.classList.toggle('busy', this.loading);
    $('report').hidden = this.data === null;
    this.host_.render();
  }

  private renderBanner(): void {
    const text = this.bannerText();
    // Only a change is written, so that an alert is read aloud once.
    if ($('banner-text').textContent !== text) $('banner-text').textContent = text;
    $('banner').hidden = text === '';
    $('banner').classList.toggle('error', this.tokenBad_ || !this.isFirstQuestion());
    // What the engine refuses may be tried again; the other final failures have their forms.
    const hasForm = this.isFinal() && this.error?.code !== 'refused';
    $('retry').hidden = hasForm || this.loading;
  }

  // Nobody typed a token yet: a question, not a mistake.
  private isFirstQuestion(): boolean {
    return this.error?.code === 'unauthorized' && !this.hadToken_;
  }

  private bannerText(): string {
    const { words: w, error, lang } = this;
    if (this.tokenBad_) return w.tokenBad;
    if (error === null) return '';
    if (this.isFirstQuestion()) return w.needToken;
    const detail = error.code === 'refused' && error.detail !== '' ? ` ${error.detail}` : '';
    const stale = this.data === null ? '' : ` ${w.stale(clock(this.data.at_ms, lang))}`;
    return w.error[error.code] + detail + stale;
  }

  private isFinal(): boolean {
    return this.error !== null && this.host_.final.includes(this.error.code);
  }

  private take(error: ApiError): void {
    this.error = error;
    // Not the numbers of another question, nor those that the reader may no longer see.
    const holds = this.data === null || (this.host_.holds?.(this.data.value) ?? true);
    if (this.isFinal() || !holds) this.data = null;
    if (error.code === 'unauthorized') this.setWho(null);
  }

  private polls(): boolean {
    return !document.hidden && !this.isFinal();
  }

  private stop(): void {
    clearTimeout(this.timer_);
    this.inFlight_?.abort();
    this.inFlight_ = null;
  }

  private schedule(): void {
    clearTimeout(this.timer_);
    if (!this.polls()) return;
    const wait = Math.max(this.host_.refreshMs, this.error?.retryAfterMs ?? 0);
    this.timer_ = setTimeout(() => void this.refresh(), wait);
  }

  // Beside the first question, which needs no answer to this one.
  private async lookWho(): Promise<void> {
    try {
      const who = await whoIsIt();
      if (who === null || this.who !== null) return;
      this.who = who;
      this.render();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // refresh() says what the matter is
    }
  }

  private setWho(who: Who | null): void {
    this.hadToken_ = this.hadToken_ || this.who !== null;
    this.who = who;
  }

  private async submitToken(event: Event): Promise<void> {
    event.preventDefault();
    const input = $<HTMLInputElement>('token-input');
    const typed = input.value.trim();
    this.tokenBad_ = !tokenIsSendable(typed);
    if (this.tokenBad_) {
      this.render();
      return;
    }
    input.value = '';
    this.hadToken_ = true;
    try {
      this.setWho(await signIn(typed));
      this.error = null;
      await this.refresh();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.fail(error);
    }
    if (!$('token-form').hidden) input.focus();
  }

  private forget(): void {
    this.stop();
    // Where the line is down the cookie stays, and the next visit finds it.
    void signOut().catch(() => undefined);
    this.who = null;
    this.hadToken_ = false;
    this.data = null;
    this.error = new ApiError('unauthorized');
    this.loading = false;
    this.host_.forgot?.();
    this.render();
  }
}
