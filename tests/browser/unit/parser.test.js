// The parser of the client library, held to the vectors that tests/integration/test_eventsource.py holds its own to:
// what web-platform-tests ask of a browser. SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SseParser } from '../../../gateway/dashboard/client/parser.js';

const VECTORS = JSON.parse(readFileSync(new URL('../../integration/eventsource_vectors.json', import.meta.url)));

function parse(pieces, more = {}) {
  const seen = { events: [], retry: null, oversized: [] };
  const parser = new SseParser({ onEvent: ({ type, data, id }) => seen.events.push([type, data, id]),
    onRetry: ms => { seen.retry = ms; }, onOversized: type => seen.oversized.push(type), ...more });
  for (const piece of pieces) parser.push(piece);
  return { ...seen, lastEventId: parser.lastEventId };
}
const bytes = text => new TextEncoder().encode(text);
const inPieces = (whole, size) => Array.from({ length: Math.ceil(whole.length / size) }, (_, at) => whole.subarray(at * size, (at + 1) * size));

for (const { name, bytes: text, events } of VECTORS) {
  test(`${name}, in any pieces`, () => {
    const whole = Buffer.from(text, 'latin1');
    for (const size of [whole.length, 1, 2, 3, 7]) assert.deepEqual(parse(inPieces(whole, size)).events, events, `pieces of ${size}`);
  });
}

for (const [line, wanted] of [['retry:3000', 3000], ['retry: 03000', 3000], ['retry:3000x', null], ['retry:-1', null], ['retry', null], ['retry:1.5', null]]) {
  test(`${line} waits ${wanted}`, () => assert.equal(parse([bytes(`${line}\n\n`)]).retry, wanted));
}

test('an event that is cut is not told, and its id not taken', () => {
  const { events, lastEventId } = parse([bytes('id: a-1\ndata: 1\n\nid: a-2\ndata: 2\n')]);

  assert.deepEqual(events, [['message', '1', 'a-1']]);
  assert.equal(lastEventId, 'a-1');
});

test('an event knows whether the id is its own', () => {
  const own = [];
  new SseParser({ onEvent: event => own.push(event.own) }).push(bytes('id: a-1\ndata: 1\n\ndata: 2\n\nid: a-1\ndata: 3\n\n'));

  assert.deepEqual(own, [true, false, true]);
});

for (const [what, event] of [['one line', `data: ${'x'.repeat(200)}\n`], ['many lines', 'data: xxxxxxxxx\n'.repeat(20)], ['a comment', `: ${'x'.repeat(200)}\ndata: 1\n`]]) {
  test(`an event too long by ${what} is left out, and its id moves on`, () => {
    const whole = bytes(`event: big\nid: a-1\n${event}\nid: a-2\nevent: next\ndata: y\n\n`);
    for (const size of [whole.length, 1, 64]) {
      const { events, oversized, lastEventId } = parse(inPieces(whole, size), { limit: 100 });

      assert.deepEqual(events, [['next', 'y', 'a-2']]);
      assert.deepEqual(oversized, ['big']);
      assert.equal(lastEventId, 'a-2');
    }
  });
}

test('a line that never ends is not kept', () => {
  const parser = new SseParser({ onEvent: assert.fail, limit: 1000 }), before = process.memoryUsage().rss;
  for (let n = 0; n < 2000; n++) parser.push(new Uint8Array(65536).fill(120));

  assert.ok(process.memoryUsage().rss - before < 100 << 20);
});
