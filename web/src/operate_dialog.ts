// Nothing changes without this dialog: it says what a switch or a revert would do before it is
// applied, and who was faster when the revision has changed meanwhile. Also history and diffs.
// Each question is asked of what the engine answers now, not of what the page showed.
import {
  ApiError,
  type Json,
  callJson,
  objectsOf,
  textOf,
  textsOf,
} from './api.js';
import { diff } from './diff.js';
import { byId as $, h, known, morph } from './dom.js';
import { count, share } from './format.js';
import { spokenDiff, triedView } from './operate_changes.js';
import {
  type Experiment,
  type Program,
  type Ramp,
  type Thing,
  type World,
  changesOf,
  experimentOf,
  goalOf,
  nameIn,
  programOf,
  stateOf,
} from './operate_model.js';
import { resultsOf, resultsView } from './operate_results.js';
import { type View, historyList, unitOf, variationLines } from './operate_views.js';

const rounded = (value: number): string => count(Math.round(value));

interface Host {
  view: () => View;
  world: () => World | null;
  applied: (name: string) => void;
}

// A change to be confirmed, as one call.
interface Change {
  name: string;
  method: string;
  path: string;
  body: Json;
}

export class Dialog {
  private readonly host_: Host;
  private readonly element_ = $<HTMLDialogElement>('dialog');
  private opened_ = 0; // counts questions, so that a late answer does not fill a newer one
  private change_: Change | null = null;
  private asked_: DOMStringMap = {};

  constructor(host: Host) {
    this.host_ = host;
    this.element_.addEventListener('close', () => ++this.opened_);
  }

  // What a button with these data attributes asks for.
  async act(data: DOMStringMap): Promise<void> {
    switch (data.action) {
      case 'close':
        return this.element_.close();
      case 'apply':
        return this.apply();
      case 'again':
        return this.act(this.asked_);
      default:
    }
    const mine = ++this.opened_;
    this.asked_ = { ...data };
    this.change_ = null;
    this.show(this.w.loading, [h('p', {}, this.w.loading)], false);
    try {
      await this.ask(data, mine);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine === this.opened_) this.show(this.w.title, [this.failure(error)], false);
    }
  }

  private get w() {
    return this.host_.view().words;
  }

  private get(path: string): Promise<Json> {
    return callJson(path);
  }

  private failure(error: ApiError): HTMLElement {
    const detail = error.code === 'refused' ? ` ${error.detail}` : '';
    return h('p', { className: 'banner error', role: 'alert' }, this.w.error[error.code] + detail);
  }

  private show(title: string, body: HTMLElement[], canApply: boolean): void {
    const button = (action: string, className: string, text: string) =>
      h('button', { type: 'button', className, 'data-action': action }, text);
    $('dialog-title').textContent = title;
    morph($('dialog-body'), ...body);
    const close = button('close', '', canApply ? this.w.cancel : this.w.close);
    morph(
      $('dialog-buttons'),
      close,
      ...(canApply ? [button('apply', 'primary', this.w.apply)] : []),
    );
    if (!this.element_.open) this.element_.showModal();
  }

  private async ask(data: DOMStringMap, mine: number): Promise<void> {
    const id = data.id ?? '';
    const family = data.kind === 'program' ? 'programs' : 'experiments';
    const at = `/v1/${family}/${encodeURIComponent(id)}`;
    if (data.action === 'toggle' && data.kind === 'boosting') return this.askBoosting(mine);
    if (data.action === 'history') return this.askHistory(data.kind ?? '', at, id, mine);
    if (data.action === 'results') return this.showResults(at, data.phase ?? '', mine);
    if (data.action === 'approve') return this.askApproval(id, mine);
    if (data.action === 'hold' || data.action === 'go') return this.askHold(id, data.action, mine);
    if (data.action === 'diff') return this.showDiff(id, data.from ?? '', data.to ?? '', mine);
    if (data.action === 'revert') return this.askRevert(id, data.to ?? '', mine);
    if (data.kind === 'program') return this.askProgram(programOf(await this.get(at)), at, mine);
    return this.askExperiment(experimentOf(await this.get(at)), at, mine);
  }

  private confirm(mine: number, change: Change, title: string, body: HTMLElement[]): void {
    if (mine !== this.opened_) return;
    this.change_ = change;
    this.show(title, body, true);
  }

  // The other state of `thing`, which stands at the path `at`.
  private confirmSwitch(mine: number, thing: Thing, at: string, body: HTMLElement[]): void {
    const { words: w, lang } = this.host_.view();
    const name = nameIn(thing.name, lang);
    const change = {
      name,
      method: 'PATCH',
      path: at,
      body: { enabled: !thing.enabled, if_revision: thing.revision },
    };
    this.confirm(mine, change, thing.enabled ? w.switchOff(name) : w.switchOn(name), body);
  }

  private async askProgram(program: Program, at: string, mine: number): Promise<void> {
    const { w } = this;
    const tried = this.tried(at, !program.enabled);
    const body = program.enabled
      ? [
          h('p', {}, w.programOff),
          h(
            'ul',
            { className: 'plain' },
            ...program.goals.map((goal) => {
              const stays = rounded(goal.delivered + goal.inFlight);
              const { value, low, high } = goal.forecast;
              const otherwise = w.forecast(rounded(value), rounded(low), rounded(high));
              const off = w.goalOff(unitOf(goal, w), stays, rounded(goal.target), otherwise);
              return h('li', {}, off);
            }),
          ),
        ]
      : await this.forecast(at);
    this.confirmSwitch(mine, program, at, [...body, ...(await tried)]);
  }

  // The other state of what stands at `at`, tried on recorded requests.
  private async tried(at: string, enabled: boolean): Promise<HTMLElement[]> {
    const w = this.w.changes;
    try {
      const ask = { method: 'POST', body: { enabled } };
      return triedView(await callJson(`${at}:dry_run`, ask), w);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code !== 'conflict') return [this.failure(error)];
      const why = h('span', { lang: 'en' }, error.detail); // too few requests, for example
      return [h('p', { className: 'hint', id: 'not-tried' }, `${w.triedNot} `, why)];
    }
  }

  // What recent traffic says a program would come to.
  private async forecast(at: string): Promise<HTMLElement[]> {
    const { w } = this;
    let answer: Json;
    try {
      answer = await this.get(`${at}/forecast`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return [h('p', {}, w.forecastMissing), this.failure(error)];
    }
    const goals = objectsOf(answer.goals).map((one) => {
      const goal = goalOf(one);
      const { value, low, high } = goal.forecast;
      const [made, least, most, target] = [value, low, high, goal.target].map(rounded);
      const line = w.goalOn(unitOf(goal, w), made ?? '', least ?? '', most ?? '', target ?? '');
      const verdict = one.attainable === true ? w.attainable : w.unattainable;
      return h('li', {}, `${line}, ${verdict}`);
    });
    const warnings = textsOf(answer.warnings);
    return [
      h('p', {}, w.programOn),
      h('ul', { className: 'plain' }, ...goals),
      ...(warnings.length ? [h('h3', {}, w.warnings)] : []),
      h('ul', { className: 'plain code' }, ...warnings.map((text) => h('li', {}, text))),
    ];
  }

  private async askExperiment(experiment: Experiment, at: string, mine: number): Promise<void> {
    const tried = await this.tried(at, !experiment.enabled);
    const view = this.host_.view();
    const { words: w } = view;
    const part = experiment.coverage * (experiment.high - experiment.low);
    const percent = `${count(Number((part * 100).toFixed(1)))}%`;
    const said = experiment.enabled ? w.experimentOff : w.experimentOn(percent);
    const body = [h('p', {}, said), variationLines(experiment, view), ...tried];
    this.confirmSwitch(mine, experiment, at, body);
  }

  private async showResults(at: string, phase: string, mine: number): Promise<void> {
    const { lang, words } = this.host_.view();
    const query = phase === '' ? '' : `?phase=${encodeURIComponent(phase)}`;
    const results = resultsOf(await this.get(`${at}/results${query}`));
    if (mine !== this.opened_) return;
    const title = words.results.title(nameIn(results.name, lang));
    this.show(title, resultsView(results, lang, words.results), false);
  }

  // A ramp as it stands now, under what would become of it.
  private async askRamp(
    id: string,
    mine: number,
    made: (experiment: Experiment, ramp: Ramp) => { change: Change; title: string; said: string },
  ): Promise<void> {
    const live = experimentOf(await this.get(`/v1/experiments/${encodeURIComponent(id)}`));
    if (mine !== this.opened_) return;
    const { lang, words } = this.host_.view();
    if (live.ramp === null) return this.show(words.title, [h('p', {}, words.error.no_id)], false);
    const { change, title, said } = made(live, live.ramp);
    const now = h('p', { className: 'hint' }, known(words.changes.rampState, live.ramp.state));
    const newest = historyList('', '', live.history.slice(0, 3), { lang, words });
    this.confirm(mine, change, title, [h('p', {}, said), now, newest]);
  }

  private askApproval(id: string, mine: number): Promise<void> {
    return this.askRamp(id, mine, (live, ramp) => {
      const { lang, words } = this.host_.view();
      const name = nameIn(live.name, lang);
      const path = `/v1/experiments/${encodeURIComponent(id)}/approve`;
      return {
        change: { name, method: 'POST', path, body: {} },
        title: words.changes.approveTitle(name),
        said: words.changes.approveSaid(share(live.coverage), share(ramp.next)),
      };
    });
  }

  private askHold(id: string, what: 'hold' | 'go', mine: number): Promise<void> {
    return this.askRamp(id, mine, (live) => {
      const { lang, words } = this.host_.view();
      const w = words.changes;
      const name = nameIn(live.name, lang);
      const body = { ramp: { held: what === 'hold' }, if_revision: live.revision };
      const path = `/v1/experiments/${encodeURIComponent(id)}`;
      return {
        change: { name, method: 'PATCH', path, body },
        title: what === 'hold' ? w.holdTitle(name) : w.goTitle(name),
        said: what === 'hold' ? w.holdSaid : w.goSaid,
      };
    });
  }

  private async askBoosting(mine: number): Promise<void> {
    const { w } = this;
    const now = await this.get('/v1/boosting');
    const world = this.host_.world();
    const running = world?.programs.filter((p) => stateOf(p, world.health.now) === 'running');
    const n = count(running?.length ?? 0);
    const isOn = now.enabled !== false;
    const revision = textOf(now.revision);
    const body: Json = { enabled: !isOn };
    if (revision !== '') body.if_revision = revision;
    const change = { name: w.boosting, method: 'PUT', path: '/v1/boosting', body };
    const title = isOn ? w.switchOff(w.boosting) : w.switchOn(w.boosting);
    this.confirm(mine, change, title, [h('p', {}, isOn ? w.allOff(n) : w.allOn(n))]);
  }

  private async askHistory(kind: string, at: string, id: string, mine: number): Promise<void> {
    const answer = await this.get(kind === 'experiment' ? `${at}/history` : at);
    if (mine !== this.opened_) return;
    const list = historyList(kind, id, changesOf(answer.history), this.host_.view());
    this.show(`${this.w.history}: ${id}`, [list], false);
  }

  private async textAt(id: string, revision: string): Promise<string> {
    if (revision === '') return '';
    const at = `/v1/experiments/${encodeURIComponent(id)}/history`;
    return textOf((await this.get(`${at}?revision=${encodeURIComponent(revision)}`)).yaml);
  }

  // In words, then line by line.
  private async diffBlock(id: string, from: string, to: string): Promise<HTMLElement[]> {
    const [before, after] = await Promise.all([this.textAt(id, from), this.textAt(id, to)]);
    if (before === after) return [h('p', {}, this.w.diffSame)];
    const found = diff(before, after);
    const lines = found.map(({ sign, text }) => {
      const name = sign === '+' ? 'added' : sign === '-' ? 'removed' : 'kept';
      return h('div', { className: name }, `${sign} ${text}`);
    });
    return [
      h('p', { id: 'diff-said' }, spokenDiff(found, this.w.changes)),
      h('div', { className: 'diff code scroll', tabindex: 0 }, ...lines),
    ];
  }

  private async showDiff(id: string, from: string, to: string, mine: number): Promise<void> {
    const block = await this.diffBlock(id, from, to);
    if (mine === this.opened_) this.show(this.w.diffTitle(id), block, false);
  }

  private async askRevert(id: string, to: string, mine: number): Promise<void> {
    const { w } = this;
    const at = `/v1/experiments/${encodeURIComponent(id)}`;
    const live = experimentOf(await this.get(at));
    const block = await this.diffBlock(id, live.revision, to);
    const change = {
      name: nameIn(live.name, this.host_.view().lang),
      method: 'POST',
      path: `${at}/revert`,
      body: { to, if_revision: live.revision },
    };
    this.confirm(mine, change, w.revertTitle(id), [h('p', {}, w.diffNow), ...block]);
  }

  private async apply(): Promise<void> {
    const change = this.change_;
    if (change === null) return;
    this.change_ = null; // once
    const mine = this.opened_;
    const { w } = this;
    const button = $('dialog-buttons').querySelector<HTMLButtonElement>('.primary');
    if (button) {
      button.disabled = true;
      button.textContent = w.applying;
    }
    try {
      const { path, method, body } = change;
      await callJson(path, { method, body });
      if (mine === this.opened_) this.element_.close();
      this.host_.applied(change.name);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine !== this.opened_) return;
      this.show($('dialog-title').textContent ?? '', await this.refusal(change, error), false);
      const again = { type: 'button', className: 'primary', 'data-action': 'again' };
      $('dialog-buttons').append(h('button', again, w.again));
    }
  }

  // After a conflict also who changed what, if that can be had.
  private async refusal(change: Change, error: ApiError): Promise<HTMLElement[]> {
    const said = [this.failure(error)];
    if (error.code !== 'conflict') return said;
    try {
      const now = await this.get(change.path.replace(/\/(revert|approve)$/, ''));
      const newest = changesOf(now.history).slice(0, 1);
      said.push(historyList('', '', newest, this.host_.view()));
    } catch (failed) {
      if (!(failed instanceof ApiError)) throw failed;
    }
    return said;
  }
}
