// Tabs and the worker between them: one stream for all, and what happens when there is no such worker any more. The
// browser's own is used in tests/browser/test_client.py; here it can be made to fail. SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hub } from '../../../gateway/dashboard/client/hub.js';
import { SseClient } from '../../../gateway/dashboard/client/sse-client.js';
import { start, until, worker } from './mouth.js';

// As a browser has it: the same name is the same worker, while it lives.
class FakeWorker {
  static alive = new Map();
  static mute = false;
  static late = 0;
  constructor(url, { name }) {
    assert.match(url, /\/client\/worker\.js$/);
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    if (FakeWorker.mute) return;
    if (!FakeWorker.alive.has(name)) FakeWorker.alive.set(name, { hub: null, ports: [] });
    const it = FakeWorker.alive.get(name);
    it.ports.push(port2);
    const begin = () => { port2.onmessage = ({ data }) => { it.hub ??= new Hub(data.options); it.hub.attach(port2); }; };
    if (FakeWorker.late) setTimeout(begin, FakeWorker.late);
    else begin();
  }
  static kill() {
    for (const { ports } of FakeWorker.alive.values()) for (const port of ports) port.postMessage = () => {};
    FakeWorker.alive.clear();
  }
}

async function share(t, script, options = {}) {
  globalThis.SharedWorker = FakeWorker;
  FakeWorker.mute = options.mute ?? false;
  FakeWorker.late = options.late ?? 0;
  const first = await start(t, script, { random: undefined, ...options });
  const second = new SseClient(`${first.url}/api/events/stream`, { heartbeat: 1, ...options });
  t.after(() => {
    second.close();
    FakeWorker.kill();
    delete globalThis.SharedWorker;
  });
  return { ...first, second };
}
const live = voice => voice.begin().connected(5).state(5, [worker('a')]).beats(5, 200);

test('two tabs have one stream; a later one gets the picture from the first', async t => {
  const { client, second, voices, url } = await share(t, live);
  await until(() => client.workers.size && second.workers.size, 'both');
  const third = new SseClient(`${url}/api/events/stream`, { heartbeat: 1 });
  await until(() => third.workers.size, 'the third');

  assert.equal(voices.length, 1);
  await until(() => client.status.tabs === 3 && third.status.shared, 'three tabs');
  third.close();
  second.close();
  await until(() => client.status.tabs === 1, 'one is left');
  client.close();
  await until(() => voices[0].closed, 'nobody looks: nothing is open');
});

test('a pause is one tab\'s own', async t => {
  const { client, second, voices } = await share(t, live);
  await until(() => client.workers.size && second.workers.size, 'both');
  client.pause();
  voices[0].event('worker.status.updated', { worker_id: 'a', new_status: 'stopped' }, 6);

  await until(() => second.workers.get('a').status === 'stopped' && client.status.waiting, 'told');
  assert.equal(client.workers.get('a').status, 'running');
});

test('a worker that the browser has ended is noticed within a few heartbeats, and another made', async t => {
  const { client, second, states, voices } = await share(t, live);
  await until(() => client.workers.size && second.workers.size, 'both');
  FakeWorker.kill();

  await until(() => states.some(each => each.message === 'the worker has gone'), 'it shows');
  assert.equal(client.workers.size, 1, 'what is known stays');
  await until(() => voices.length > 1 && client.status.state === 'connected' && second.status.state === 'connected', 'live again');
  assert.ok(client.status.shared);
});

test('a worker that a busy machine starts late is waited for: there is one stream all the same', async t => {
  const { client, second, voices } = await share(t, live, { late: 4000 });

  await until(() => client.workers.size && second.workers.size, 'live');
  assert.ok(client.status.shared && second.status.shared);
  assert.equal(voices.length, 1);
});

test('where a worker does not start the stream is in the page', async t => {
  const { client } = await share(t, live, { mute: true });

  await until(() => client.workers.size, 'live');
  assert.equal(client.status.shared, false);
});
