// driver.mjs - Debian's Chromium by playwright-core, told what to do by lines of JSON on stdin.
//
//     node driver.mjs <folder with node_modules> [flags of Chromium...]
//
// {"id", "page", "call": "keyboard.press", "args": [...]} calls that method of the page; without a page,
// "open" {context, init, ...} makes one: pages of one context are tabs of one browser, `init` runs before the page's own
// scripts, the rest goes to newContext. "log" answers and forgets what a page complained of, "metrics" what
// Chromium has counted of it; "endWorkers" ends all SharedWorkers. The answer to each is {"id", "value"} or {"id", "error"}. SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [folder, ...flags] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)('playwright-core');
const PATIENCE_MS = 120_000; // a deadline of failing: Chromium's first page alone took 40 s on a machine with thirty others at work
const browser = await chromium.launch({ timeout: PATIENCE_MS, executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic', ...flags] });
const contexts = new Map(), pages = new Map();

async function open({ context: name = 'one', init, ...options }) {
  if (!contexts.has(name)) {
    contexts.set(name, await browser.newContext(options));
    contexts.get(name).setDefaultTimeout(PATIENCE_MS);
  }
  const page = await contexts.get(name).newPage(), id = `page${pages.size + 1}`;
  page.complaints = [];
  page.on('console', message => { if (message.type() === 'error') page.complaints.push(`${message.text()} (${message.location().url})`); });
  page.on('pageerror', error => page.complaints.push(String(error)));
  if (init) await page.addInitScript(init);
  pages.set(id, page);
  return id;
}

// As a browser does that is short of memory.
async function endWorkers() {
  const session = await browser.newBrowserCDPSession();
  const { targetInfos } = await session.send('Target.getTargets', { filter: [{ type: 'shared_worker' }] });
  for (const { targetId } of targetInfos) await session.send('Target.closeTarget', { targetId });
  await session.detach();
  return targetInfos.length;
}

// What Chromium has counted of a page: TaskDuration, ScriptDuration, JSHeapUsedSize, Nodes, ...
async function metrics(page) {
  page.session ??= await page.context().newCDPSession(page);
  await page.session.send('Performance.enable');
  const { metrics: counted } = await page.session.send('Performance.getMetrics');
  return Object.fromEntries(counted.map(({ name, value }) => [name, value]));
}

async function serve({ page: id, call, args = [] }) {
  if (call === 'endWorkers') return endWorkers();
  if (!id) return open(args[0] ?? {});
  const page = pages.get(id);
  if (call === 'metrics') return metrics(page);
  if (call === 'log') return page.complaints.splice(0);
  const path = call.split('.'), name = path.pop();
  const owner = path.reduce((object, each) => object[each], page);
  const value = await owner[name](...args);
  return value === undefined || value === null || typeof value !== 'object' || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype ? value : null;
}

createInterface({ input: process.stdin }).on('line', line => {
  const asked = JSON.parse(line);
  serve(asked).then(value => ({ value: value ?? null }), error => ({ error: String(error.message) }))
    .then(answer => process.stdout.write(`${JSON.stringify({ id: asked.id, ...answer })}\n`));
}).on('close', () => browser.close().then(() => process.exit(0)));
