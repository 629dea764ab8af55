// The package is what it says: its types name what there is, and each file that is imported is in it.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { SseClient } from '../../../gateway/dashboard/client/sse-client.js';
import { start, until } from './mouth.js';

const folder = new URL('../../../gateway/dashboard/client/', import.meta.url);
const read = name => readFileSync(new URL(name, folder), 'utf8');
const types = read('sse-client.d.ts');
const membersOf = declared => [...types.split(`export ${declared} {`)[1].split('\n}')[0].matchAll(/^ {2}(?:readonly )?(\w+)[?:(]/gm)].map(found => found[1]).sort();

test('the types declare the class\'s members, all and no other', () => {
  assert.deepEqual(membersOf('class SseClient'), Object.getOwnPropertyNames(SseClient.prototype).sort());
});

test('the types declare what a status and its counters hold', async t => {
  const { client } = await start(t, voice => voice.begin().connected(0).state(0, []));
  await until(() => client.status.synced, 'live');

  assert.deepEqual(membersOf('interface Status'), Object.keys(client.status).sort());
  assert.deepEqual(membersOf('interface Counters'), Object.keys(client.status.counters).sort());
});

test('every module is reached from the entry or the worker, has its licence line, and depends on nothing else', () => {
  const modules = readdirSync(folder).filter(name => name.endsWith('.js')), reached = new Set(['sse-client.js', 'worker.js']);
  for (const name of reached) {
    assert.match(read(name), /SPDX-License-Identifier: MIT/);
    for (const [, from] of read(name).matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
      assert.match(from, /^\.\/[\w-]+\.js$/);
      reached.add(from.slice(2));
    }
  }
  assert.deepEqual([...reached].sort(), modules.sort());
});
