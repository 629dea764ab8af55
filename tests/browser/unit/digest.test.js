// The digest, held to the published values of FNV-1a and to common/digest.h's words. That it is the gateway's too is
// seen in tests/browser/test_client.py. SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sum, digestOfEvent, fnv1a } from '../../../gateway/dashboard/client/digest.js';

for (const [text, wanted] of [['', 'cbf29ce484222325'], ['a', 'af63dc4c8601ec8c'], ['foobar', '85944171f73967e8'], ['chongo was here!\n', '46810940eff5f915']]) {
  test(`FNV-1a of ${JSON.stringify(text)}`, () => assert.equal(fnv1a(text).toString(16), wanted));
}

test('it is of the UTF-8, and the same as by whole numbers', () => {
  const text = 'ünïcödé 😀 "quoted" '.repeat(40);
  let slow = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) slow = BigInt.asUintN(64, (slow ^ BigInt(byte)) * 0x100000001b3n);

  assert.equal(fnv1a(text), slow);
});

test('what follows the freshness does not count, also when a tag holds its very name', () => {
  const event = rest => `{"type":"worker.snapshot","seq":7,"data":{"aws_tags":{"x":",\\"ec2_freshness\\":"},"cpu":1,"ec2_freshness":${rest}}}`;
  const snapshot = { status: 'running' };

  assert.equal(digestOfEvent(event('"fresh"'), snapshot), digestOfEvent(event('"stale","_reason":"x"'), snapshot));
  assert.notEqual(digestOfEvent(event('"fresh"').replace('"cpu":1', '"cpu":2'), snapshot), digestOfEvent(event('"fresh"'), snapshot));
  assert.equal(digestOfEvent(event('"fresh"'), { status: 'terminated' }), 0n);
});

test('a sum forgets the order, and what was replaced or taken away', () => {
  const [one, other] = [new Sum(), new Sum()], most = 0xffffffffffffffffn;
  one.set('a', most); one.set('b', 5n);
  other.set('b', 1n); other.set('c', 9n); other.set('a', most); other.set('b', 5n); other.delete('c');

  assert.equal(one.toString(), '0000000000000004');
  assert.equal(other.toString(), one.toString());
});

test('sums tell of how many workers they say something else', () => {
  const [one, other] = [new Sum(), new Sum()];
  one.set('same', 1n); one.set('changed', 2n); one.set('gone', 3n); one.set('terminated', 0n);
  other.set('same', 1n); other.set('changed', 9n); other.set('new', 4n);

  assert.equal(one.differs(other), 3);
  assert.equal(other.differs(one), 3);
  assert.equal(one.differs(one), 0);
});
