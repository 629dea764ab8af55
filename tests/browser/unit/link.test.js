// How the client holds the link: what it does after each answer, when it comes back, and what it says of it.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitOf } from '../../../gateway/dashboard/client/stream.js';
import { start, until } from './mouth.js';

const live = voice => voice.begin().connected(0).state(0, []).beats(0, 200);

for (const [what, answer, wanted] of [
  ['a 502', v => v.status(502), { state: 'reconnecting', reason: 'http 502' }],
  ['a 404', v => v.status(404), { state: 'error', reason: 'http 404' }],
  ['a page instead of a stream', v => v.status(200, { 'Content-Type': 'text/html' }, '<html>'), { state: 'error', reason: 'type' }],
  ['a cut connection', v => v.request.socket.destroy(), { state: 'reconnecting', reason: 'network' }],
  ['the end of a live stream', v => v.begin().connected(0).end(), { state: 'reconnecting', reason: 'ended' }],
  ['a cut in the middle of a frame', v => { v.begin().connected(0).response.write('id: x\ndata: {'); v.request.socket.destroySoon(); }, { state: 'reconnecting' }],
  ['a refusal of parameters', v => v.status(400, { 'Content-Type': 'application/problem+json' }, '{"detail":"heartbeat: no"}'),
    { state: 'error', reason: 'http 400', message: 'the gateway answers 400: heartbeat: no' }],
]) {
  test(`after ${what} it says so and comes back`, async t => {
    const { client, states } = await start(t, (voice, n) => (n < 3 ? answer(voice) : live(voice)));
    await until(() => client.status.state === 'connected' && client.status.synced, 'live');

    const said = states.find(each => each.retryAt !== null);
    for (const [name, value] of Object.entries(wanted)) assert.equal(said[name], value);
    assert.ok(said.attempt === 1 && said.retryAt - Date.now() < 1000);
  });
}

test('204 says not to come back: it does not, until it is asked to', async t => {
  const { client, voices } = await start(t, (voice, n) => (n === 1 ? voice.status(204) : live(voice)));
  await until(() => client.status.state === 'disconnected', 'stopped');
  assert.equal(voices.length, 1);
  assert.equal(client.status.retryAt, null);

  client.reconnect();
  await until(() => client.status.state === 'connected', 'live');
});

test('Retry-After is waited for, beyond the bound of our own waits', async t => {
  const { client } = await start(t, voice => voice.status(503, { 'Retry-After': '120' }));
  const { retryAt } = await until(() => client.status.retryAt !== null && client.status, 'refused');

  assert.ok(Math.abs(retryAt - Date.now() - 120_000) < 5000);
});

test('a Retry-After by date is too, and none is for ever', async t => {
  const when = new Date(Date.now() + 3_600_000).toUTCString();
  const { client } = await start(t, voice => voice.status(429, { 'Retry-After': when }));
  const { retryAt } = await until(() => client.status.retryAt !== null && client.status, 'refused');

  assert.ok(Math.abs(retryAt - Date.now() - 600_000) < 5000);
});

test('a stream that ends before it began says in retry when to come again', async t => {
  const before = Date.now();
  const { states } = await start(t, voice => { voice.begin(3000); voice.end(); });
  const status = await until(() => states.find(each => each.retryAt !== null), 'busy');

  assert.equal(status.reason, 'busy');
  assert.ok(before + 3000 <= status.retryAt && status.retryAt <= Date.now() + 3000);
});

test('a shutdown is obeyed: it comes when it was told to', async t => {
  const before = Date.now();
  const { client, states } = await start(t, (voice, n) => {
    if (n > 1) { live(voice); return; }
    voice.begin().connected(0).event('system.sse.shutdown', { message: 'the gateway ends', retry_ms: 700 }).end();
  });
  const status = await until(() => states.find(each => each.retryAt !== null), 'told');
  assert.deepEqual([status.state, status.reason, status.message], ['reconnecting', 'shutdown', 'the gateway ends']);
  assert.ok(before + 700 <= status.retryAt && status.retryAt <= Date.now() + 700);

  await until(() => client.status.state === 'connected', 'live again');
});

test('waits are random from nothing to a bound that doubles from what the server said, up to 30 s', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 2000].map(attempt => waitOf(attempt, 1500, 0, 0.999999).toFixed()), [1500, 3000, 6000, 12000, 24000, 30000, 30000, 30000].map(String));
  assert.equal(waitOf(9, 1500, 0, 0), 0);
  assert.equal(waitOf(3, 1000, 0, 0.5), 4000);
  assert.equal(waitOf(0, 1000, 90_000, 0.5), 90_000, 'but no shorter than the server asks for');
});

test('failures in a row are counted, and a heartbeat ends the row', async t => {
  const { client, states } = await start(t, (voice, n) => {
    if (n < 4) voice.status(502);
    else if (n === 4) voice.begin(0).connected(0).end();  // this is no sign of life yet
    else if (n === 5) voice.begin(0).connected(0).state(0, []).heartbeat(0).end();
    else live(voice);
  });
  await until(() => client.status.state === 'connected' && client.status.counters.reconnects === 5, 'live');

  assert.deepEqual(states.filter(each => each.retryAt !== null).map(each => each.attempt), [1, 2, 3, 4, 1]);
});

test('silence is a stall within 2.5 heartbeats, whatever the socket says, and it comes back', async t => {
  const { client, states, voices } = await start(t, (voice, n) => (n === 1 ? voice.begin().connected(0).state(0, []).heartbeat(0) : live(voice)));
  await until(() => client.status.synced, 'live');
  const since = Date.now();
  let last = since, stood = 0;  // the machine's part: how long a timer of our own stands still
  const ticks = setInterval(() => { if (Date.now() - last > 120) stood += Date.now() - last - 20; last = Date.now(); }, 20);
  await until(() => states.some(each => each.reason === 'silent'), 'the stall shows');
  clearInterval(ticks);

  assert.ok(Date.now() - since < 2500 + stood, `${Date.now() - since} ms`);
  await until(() => client.status.state === 'connected' && voices.length === 2, 'live again');
});

test('an answer that never begins is a stall too', async t => {
  const { client } = await start(t, (voice, n) => { if (n > 1) live(voice); });
  await until(() => client.status.state === 'connected', 'live');
});

test('when the stream is silent twice and the gateway answers, the way is at fault', async t => {
  const { client } = await start(t, voice => voice.begin(), { others: (request, response) => response.end(request.url === '/healthz' ? '{}' : ''), heartbeat: 0.2 });
  const { notice } = await until(() => client.status.notice && client.status, 'said');

  assert.match(notice, /proxy/);
});

test('also when the first words come through and what follows is held', async t => {
  const { client } = await start(t, voice => voice.begin(0).connected(5).state(5, []), { others: (request, response) => response.end('{}'), heartbeat: 0.2 });

  await until(() => client.status.notice, 'said');
});

test('a proxy that holds heartbeats back is told of in plain words', async t => {
  const { client } = await start(t, voice => {
    voice.begin().connected(0).state(0, []);
    let [base, number] = [Date.now(), 0];
    const bunch = setInterval(() => {
      for (let n = 0; n < 3; n++) voice.heartbeat(0, { server_time: new Date(base + 1000 * ++number).toISOString() });
    }, 300);
    voice.response.on('close', () => clearInterval(bunch));
  });
  const { notice, state } = await until(() => client.status.notice && client.status, 'said');

  assert.match(notice, /proxy_buffering off/);
  assert.equal(state, 'connected');
});

test('a login is asked for once, and the stream opens when there is one', async t => {
  let known = false, asks = 0, done;
  const { client, states } = await start(t, voice => (known ? live(voice) : voice.status(401, { 'Content-Type': 'application/problem+json' }, '{"detail":"who are you?"}')),
    { login: ({ message }) => { asks++; assert.equal(message, 'who are you?'); return new Promise(ok => { done = ok; }); } });
  await until(() => done, 'asked');
  assert.deepEqual([client.status.state, client.status.reason], ['error', 'login']);
  client.reconnect();
  await until(() => states.filter(each => each.reason === 'login').length === 2, 'refused again');
  assert.equal(asks, 1);

  known = true;
  done();
  await until(() => client.status.state === 'connected', 'live');
});

test('a login in another tab takes the question back', async t => {
  let known = false, signal;
  const { client } = await start(t, voice => (known ? live(voice) : voice.status(401)), { login: ask => { signal = ask.signal; return new Promise(() => {}); } });
  await until(() => signal, 'asked');
  known = true;
  client.reconnect();

  await until(() => signal.aborted, 'taken back');
});

test('closed is closed: no request follows', async t => {
  const { client, voices } = await start(t, live);
  await until(() => client.status.state === 'connected', 'live');
  client.close();

  await until(() => voices[0].closed, 'let go');
  assert.equal(client.status.state, 'disconnected');
  assert.equal(voices.length, 1);
});

test('closed at once, before it has begun, it leaves nothing open either', async t => {
  const { client, voices } = await start(t, live);
  client.close();
  const other = await start(t, live);
  await until(() => other.client.status.synced, 'another is live');

  assert.ok(voices.every(voice => voice.closed) && voices.length <= 1);
});

test('how old the last heartbeat is, and the server\'s clock, are known', async t => {
  const ahead = 3_600_000, stamp = () => new Date(Date.now() + ahead).toISOString(), began = Date.now();
  const { client } = await start(t, voice => {
    voice.begin().connected(0, { server_time: stamp() }).state(0, []);
    voice.heartbeat(0, { server_time: stamp() });
  });
  assert.equal(client.age, null);
  await until(() => client.status.beatAt && client.status.synced, 'a heartbeat');

  const took = () => Date.now() - began + 1;
  assert.ok(client.age >= 0 && client.age <= took());
  assert.ok(Math.abs(client.now() - Date.now() - ahead) <= took());
});

test('a login may bring the header that proves it', async t => {
  const { client, voices } = await start(t, voice => (voice.request.headers.authorization === 'Bearer new' ? live(voice) : voice.status(401)),
    { headers: { Authorization: 'Bearer old' }, login: () => ({ headers: { Authorization: 'Bearer new' } }) });

  await until(() => client.status.state === 'connected', 'live');
  assert.deepEqual(voices.map(voice => voice.request.headers.authorization), ['Bearer old', 'Bearer new']);
});

test('it asks for what the URL and the options say', async t => {
  const { client, voices } = await start(t, live, { heartbeat: 7, name: 'wall', filter: { regions: ['a', 'b'], min_priority: 3, topics: null } });
  await until(() => client.status.state === 'connected', 'live');

  assert.deepEqual(Object.fromEntries(voices[0].query), { heartbeat: '7', client: 'wall', regions: 'a,b', min_priority: '3' });
});
