// What the client makes of the stream: the picture, the events, and what it says of what it missed.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EPOCH, digestOf, start, until, worker } from './mouth.js';

const names = client => [...client.workers.keys()].sort();
const status = (voice, id, from, to, number) => voice.event('worker.status.updated', { worker_id: id, old_status: from, new_status: to }, number);

test('a state is seen whole or not at all', async t => {
  let finish;
  const { client, changes } = await start(t, voice => {
    voice.begin().connected(5).event('system.state.begin', { workers: 2, jobs: 0 }).event('worker.snapshot', worker('a'));
    finish = () => { voice.event('worker.snapshot', worker('b')).event('system.state.end', { workers: 2, jobs: 0, digest: null }, 5); };
  });
  await until(() => client.status.state === 'connected', 'open');
  assert.deepEqual([client.workers.size, client.status.synced, changes.length], [0, false, 0]);
  finish();

  await until(() => client.workers.size, 'the state');
  assert.deepEqual(names(client), ['a', 'b']);
  assert.deepEqual(changes.map(each => [[...each.workers], each.whole]), [[['a', 'b'], true]]);
  assert.equal(client.status.position, `${EPOCH}-5`, 'where it stands is told with it, not only by the next heartbeat');
});

test('it comes back with the last id, and what was missed comes once, in order', async t => {
  const { client, events, voices } = await start(t, (voice, n) => {
    voice.begin(0);
    if (n === 1) status(voice.connected(5).state(5, [worker('a')]), 'a', 'running', 'stopping', 6).end();
    else {
      voice.connected(9);
      for (let number = 5; number <= 9; number++) status(voice, 'a', 'x', `s${number}`, number);  // two of them are known
      voice.beats(9, 300);
    }
  });
  const back = await until(() => events.find(each => each.type === 'client.back'), 'back');

  assert.equal(voices[1].query.get('last_event_id'), `${EPOCH}-6`);
  assert.deepEqual(events.filter(each => each.type === 'worker.status.updated').map(each => each.seq), [6, 7, 8, 9]);
  assert.deepEqual([back.data.changes, back.data.exact], [3, true]);
  assert.deepEqual([client.status.counters.duplicates, client.status.counters.replayed], [2, 3]);
  assert.equal(client.status.position, `${EPOCH}-9`);
  assert.equal(client.workers.get('a').status, 's9');
});

test('an id alone moves the cursor', async t => {
  const { client, voices } = await start(t, (voice, n) => {
    voice.begin(0).connected(5);
    if (n === 1) voice.state(5, []).response.end(`id: ${EPOCH}-8\n\n`);
  });
  await until(() => voices.length === 2, 'back');

  assert.equal(voices[1].query.get('last_event_id'), `${EPOCH}-8`);
  assert.equal(client.status.counters.duplicates, 0);
});

test('a state that is cut changes neither the picture nor the position', async t => {
  let finish;
  const { client, voices } = await start(t, (voice, n) => {
    voice.begin(0).connected(7);
    if (n === 1) voice.state(5, [worker('a'), worker('b')]).end();
    else if (n === 2) {
      voice.event('system.reset', { reason: 'too old', requested_id: `${EPOCH}-5`, oldest_id: `${EPOCH}-6` });
      status(voice.event('system.state.begin', { workers: 1, jobs: 0 }).event('worker.snapshot', worker('c'), 7), 'c', 'x', 'y', 8).end();
    } else finish = () => voice.state(9, [worker('c')]).beats(9, 300);
  });
  await until(() => voices.length === 3, 'the third');
  assert.deepEqual(names(client), ['a', 'b']);
  assert.equal(voices[2].query.get('last_event_id'), `${EPOCH}-5`);
  finish();

  await until(() => client.workers.has('c'), 'the state');
  assert.deepEqual(names(client), ['c']);
});

test('a gap is told, and what the state after it corrected is counted', async t => {
  const { client, events, changes } = await start(t, (voice, n) => {
    voice.begin(0);
    if (n === 1) voice.connected(5).state(5, [worker('a'), worker('b'), worker('c')]).end();
    else voice.connected(90).event('system.reset', { reason: 'too old', requested_id: `${EPOCH}-5`, oldest_id: `${EPOCH}-50` })
      .state(90, [worker('a'), worker('b', { cpu_utilization: 7 })]).beats(90, 300);
  });
  const back = await until(() => events.find(each => each.type === 'client.back'), 'back');

  assert.deepEqual(events.find(each => each.type === 'client.gap').data, { reason: 'too old', after: `${EPOCH}-5` });
  assert.deepEqual([back.data.changes, back.data.exact, client.status.counters.repaired], [2, false, 2]);
  assert.deepEqual([...changes.at(-1).workers].sort(), ['b', 'c']);
  assert.ok(changes.every(() => client.workers.size), 'never empty');
});

test('a picture that differs is fetched anew, once; one that is right is not, and what no digest counts is not repaired', async t => {
  const [a, b] = [worker('a'), worker('b')], right = digestOf(a, b), aged = { ...a, ec2_freshness: 'stale' };
  const { client, voices, events } = await start(t, (voice, n) => {
    voice.begin(0).connected(5).state(5, n === 1 ? [a] : [aged, b]);
    voice.heartbeat(5, { digest: right }).beats(5, 100, { digest: right });
  });
  await until(() => client.workers.size === 2, 'repaired');
  await until(() => events.filter(each => each.type === 'heartbeat').length > 4, 'more heartbeats');

  assert.equal(voices.length, 2);
  assert.equal(voices[1].query.get('last_event_id'), null);
  assert.deepEqual([client.status.counters.mismatches, client.status.counters.resyncs, client.status.counters.repaired], [1, 1, 1]);
});

test('a difference that stays is not asked about for ever', async t => {
  const { client, voices } = await start(t, voice => { voice.begin(0).connected(5).state(5, [worker('a')]).beats(5, 30, { digest: '1'.repeat(16) }); });
  await until(() => client.status.counters.mismatches > 20, 'many heartbeats');

  assert.equal(voices.length, 2);
});

test('while paused nothing moves and what waits is counted; then it is told in order', async t => {
  let speak;
  const { client, events, types } = await start(t, voice => { speak = voice; voice.begin().connected(5).state(5, [worker('a')]); });
  await until(() => client.status.synced, 'live');
  client.pause();
  for (let n = 6; n < 16; n++) status(speak, 'a', 'x', `s${n}`, n);
  await until(() => client.status.waiting === 10, 'ten wait');
  assert.equal(client.workers.get('a').status, 'running');
  assert.ok(client.status.paused && client.status.state === 'connected');
  speak.heartbeat(15);
  await until(() => types().includes('heartbeat'), 'the link is told of');
  assert.equal(client.status.waiting, 10);
  client.resume();

  assert.equal(client.workers.get('a').status, 's15');
  assert.deepEqual(events.filter(each => each.type === 'worker.status.updated').map(each => each.seq), [6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  assert.equal(client.status.waiting, 0);
});

test('what waits has a bound: beyond it the whole state is taken', async t => {
  let speak;
  const { client, events, changes } = await start(t, voice => { speak = voice; voice.begin().connected(5).state(5, [worker('a')]); }, { maxWaiting: 5 });
  await until(() => client.status.synced, 'live');
  client.pause();
  for (let n = 6; n < 36; n++) status(speak, 'a', 'x', `s${n}`, n);
  await until(() => client.status.waiting === 30, 'all are counted');
  client.resume();
  await until(() => client.workers.get('a').status === 's35', 'the newest');
  status(speak, 'a', 's35', 'end', 36);

  await until(() => client.workers.get('a').status === 'end', 'live again');
  assert.equal(changes.filter(each => each.reason === 'asked').length, 1);
  assert.deepEqual(events.filter(each => each.type === 'worker.status.updated').map(each => each.seq), [36]);
});

test('handlers are found by type, by family and by star, and can leave; one that fails harms nobody', async t => {
  t.mock.method(console, 'error', () => {});
  let speak;
  const { client, types } = await start(t, voice => { speak = voice; voice.begin().connected(5).state(5, [worker('a')]); });
  const seen = [];
  client.on('worker.status.updated', () => { throw new Error('not mine'); });
  for (const type of ['worker.status.updated', 'worker.status.*', 'worker.*', '*', 'job.*', 'worker']) client.on(type, event => seen.push([type, event.seq, client.workers.get('a').status]));
  const leave = client.on('worker.*', () => seen.push('left'));
  leave();
  await until(() => types().includes('system.state.end'), 'live');
  seen.length = 0;
  status(speak, 'a', 'running', 'stopped', 6);

  await until(() => seen.some(([type]) => type === '*'), 'told');
  assert.deepEqual(seen, ['worker.status.updated', 'worker.status.*', 'worker.*', '*'].map(type => [type, 6, 'stopped']));
});

test('what is no JSON and what is too long is left out and counted', async t => {
  const { client } = await start(t, voice => {
    voice.begin().connected(5).state(5, [worker('a')]).response.write(`id: ${EPOCH}-6\nevent: worker.snapshot\ndata: {nonsense\n\n`);
    voice.event('worker.snapshot', worker('long', { name: 'x'.repeat(5000) }), 7);
    status(voice, 'a', 'running', 'stopped', 8).heartbeat(8);
  }, { maxEventLength: 2000 });
  await until(() => client.workers.get('a')?.status === 'stopped' && client.status.counters.oversized, 'told');

  assert.deepEqual([client.status.counters.malformed, client.status.counters.oversized, client.workers.size], [1, 1, 1]);
  assert.equal(client.status.position, `${EPOCH}-8`);
});

test('another filter is asked for on the open stream, and holds when it is opened anew', async t => {
  const asked = [];
  const { client, voices } = await start(t, voice => { voice.begin(0).connected(5).state(5, [worker('a'), worker('b', { region: 'eu-west-1' })]).beats(5, 100); },
    { filter: { regions: ['us-east-1', 'eu-west-1'] }, others: async (request, response) => {
      let body = '';
      for await (const piece of request) body += piece;
      asked.push([request.method, request.url, JSON.parse(body)]);
      response.end('{}');
    } });
  await until(() => client.workers.size === 2, 'live');
  await client.filter({ regions: ['eu-west-1'] });

  await until(() => client.workers.size === 1, 'narrowed');
  assert.deepEqual(asked, [['PATCH', '/api/clients/c1', { regions: ['eu-west-1'] }]]);
  assert.deepEqual(names(client), ['b']);
  voices[0].end();
  await until(() => voices.length === 2, 'again');
  assert.equal(voices[1].query.get('regions'), 'eu-west-1');
});

test('a filter that was given to a stream that has just been replaced is asked for anew', async t => {
  let cut;
  const { client, voices } = await start(t, (voice, n) => { voice.begin(0).connected(5, { client_id: `c${n}` }).state(5, [worker('a')]).beats(5, 100); cut = () => voice.end(); },
    { others: (request, response) => { cut(); until(() => voices.length === 2 && client.status.clientId === 'c2', 'the next').then(() => response.end('{}')); } });
  await until(() => client.workers.size, 'live');
  await client.filter({ regions: ['us-east-1'] });

  await until(() => voices.length === 3, 'the third');
  assert.deepEqual(voices.map(voice => voice.query.get('regions')), [null, null, 'us-east-1']);
});

test('a filter that is refused says why, and nothing changes', async t => {
  const { client, voices } = await start(t, voice => { voice.begin(0).connected(5).state(5, [worker('a')]).beats(5, 100); },
    { others: (request, response) => { response.writeHead(400, { 'Content-Type': 'application/problem+json' }); response.end('{"detail":"regionz: unknown"}'); } });
  await until(() => client.workers.size, 'live');

  await assert.rejects(client.filter({ regionz: 'x' }), /regionz: unknown/);
  assert.equal(voices.length, 1);
});

test('a filter for a stream that is gone opens another', async t => {
  const { client, voices } = await start(t, (voice, n) => { voice.begin(0).connected(5).state(5, n === 1 ? [worker('a')] : [worker('b')]).beats(5, 100); });
  await until(() => client.workers.size, 'live');
  await client.filter({ regions: ['eu-west-1'] });

  await until(() => client.workers.has('b'), 'the new state');
  assert.deepEqual([voices[1].query.get('regions'), voices[1].query.get('last_event_id')], ['eu-west-1', null]);
  assert.deepEqual(names(client), ['b']);
});

test('after a logout nothing of what was seen is left, and nothing of it is resumed', async t => {
  const { client, voices, changes } = await start(t, (voice, n) => {
    if (n === 1) voice.begin(0).connected(5, { user: 'ada' }).event('job.completed', { job_id: 'j' }, 4).state(5, [worker('a')]).beats(5, 100);
    else voice.status(401);
  });
  await until(() => client.workers.size && client.jobs.size, 'live');
  client.forget();

  await until(() => client.status.reason === 'login', 'asked');
  assert.deepEqual([client.workers.size, client.jobs.size, client.status.synced, client.status.user], [0, 0, false, null]);
  assert.equal(voices[1].query.get('last_event_id'), null);
  assert.equal(changes.at(-1).reason, 'forgotten');
});

test('no pause keeps what a logout takes away', async t => {
  const { client } = await start(t, (voice, n) => (n === 1 ? voice.begin(0).connected(5).state(5, [worker('a')]).beats(5, 100) : voice.status(401)));
  await until(() => client.workers.size, 'live');
  client.pause();
  client.forget();

  await until(() => client.workers.size === 0, 'empty');
  client.resume();
  await until(() => client.status.reason === 'login', 'asked');
  assert.equal(client.workers.size, 0);
});

test('another user does not see what the one before saw', async t => {
  const { client, voices, changes } = await start(t, (voice, n) => {
    voice.begin(0);
    if (n === 1) voice.connected(5, { user: 'ada' }).state(5, [worker('secret'), worker('a')]).end();
    else if (n === 2) voice.connected(5, { user: 'bob' }).beats(5, 100);
    else voice.connected(5, { user: 'bob' }).state(5, [worker('a')]).beats(5, 100);
  });
  await until(() => client.status.user === 'bob' && client.workers.size, 'the other');

  assert.deepEqual(names(client), ['a']);
  assert.deepEqual(voices.map(voice => voice.query.get('last_event_id')), [null, `${EPOCH}-5`, null]);
  assert.ok(changes.some(each => each.reason === 'forgotten'));
});

test('what the server left out is counted over all connections', async t => {
  const { client } = await start(t, (voice, n) => {
    voice.begin(0).connected(5).state(5, [worker('a')]).heartbeat(5, { events_missed: 3 });
    if (n === 1) voice.heartbeat(5, { events_missed: 4 }).end();
  });

  await until(() => client.status.counters.missed === 7, 'four, and three');
});

test('cut at any byte, again and again, each event comes once and in order', async t => {
  const LAST = 300, pieces = [];
  let seed = 7;
  const chance = () => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed / 2147483648; };
  const frame = (type, data, number) => `${number ? `id: ${EPOCH}-${number}\n` : ''}event: ${type}\ndata: ${JSON.stringify({ type, source: 't', time: 't', seq: number ?? null, data })}\n\n`;
  const { client, events, voices } = await start(t, voice => {
    const from = voice.query.get('last_event_id'), at = from ? Number(from.split('-')[1]) : 0;
    let text = `retry: 0\n\n${frame('connected', { client_id: 'c', server_time: new Date().toISOString(), epoch: EPOCH, last_event_id: `${EPOCH}-${LAST}`, user: null })}`;
    if (!from) text += frame('system.state.begin', {}) + frame('worker.snapshot', worker('ü')) + frame('system.state.end', { digest: null }, 0).replace('event:', `id: ${EPOCH}-0\nevent:`);
    for (let number = at + 1; number <= LAST; number++) text += frame('worker.status.updated', { worker_id: 'ü', new_status: `s${number}` }, number);
    const bytes = Buffer.from(text), cut = voices.length > 60 ? bytes.length : 300 + Math.floor(chance() * Math.min(4000, bytes.length));
    pieces.push(cut);
    voice.response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    voice.response.write(bytes.subarray(0, cut));
    if (cut < bytes.length) setTimeout(() => voice.request.socket.destroySoon(), 2);
    else voice.beats(LAST, 200);
  });
  await until(() => client.workers.get('ü')?.status === `s${LAST}`, 'all');

  assert.ok(voices.length > 10, `${voices.length} connections`);
  assert.deepEqual(events.filter(each => each.type === 'worker.status.updated').map(each => each.seq), Array.from({ length: LAST }, (_, n) => n + 1));
  assert.deepEqual([client.status.counters.duplicates, client.status.counters.malformed], [0, 0]);
});
