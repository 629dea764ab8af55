// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arrivals } from '../../../gateway/dashboard/client/arrivals.js';

const PERIOD = 5000;

// Heartbeats written each period by a clock that is `ahead`, as they arrive.
function follow(arrivals, ahead, arrivalsOf, from = 1) {
  arrivalsOf.forEach((delay, at) => arrivals.beat((from + at) * PERIOD + ahead, (from + at) * PERIOD + delay, PERIOD));
}

test('the clocks\' distance is known to half of the way\'s time', () => {
  for (const ahead of [0, 90_000, -3_600_000]) {
    const arrivals = new Arrivals();
    arrivals.ask(0);
    arrivals.beat(40 + ahead, 60, 0, true);
    follow(arrivals, ahead, [30, 25, 20]);

    assert.ok(Math.abs(arrivals.offset - ahead) <= 30, `${arrivals.offset} of ${ahead}`);
    assert.ok(arrivals.lag <= 60);
  }
});

test('news that is late shows as lag', () => {
  const arrivals = new Arrivals();
  arrivals.ask(0);
  arrivals.beat(10, 20, 0, true);
  follow(arrivals, 0, [10, 10, 4010]);

  assert.ok(Math.abs(arrivals.lag - 4010) < 30);
  assert.equal(arrivals.buffered, false);
});

test('heartbeats that come together twice are a proxy that buffers; once is not', () => {
  const arrivals = new Arrivals(), bunch = [10000, 5000, 0];
  arrivals.ask(0);
  arrivals.beat(0, 1, 0, true);

  follow(arrivals, 0, bunch, 1);
  assert.equal(arrivals.buffered, false);
  follow(arrivals, 0, bunch, 4);
  assert.equal(arrivals.buffered, true);
});

test('a way that has become steady is no fault any more', () => {
  const arrivals = new Arrivals();
  arrivals.ask(0);
  arrivals.beat(0, 1, 0, true);
  follow(arrivals, 0, [10000, 5000, 0, 10000, 5000, 0]);
  follow(arrivals, 0, Array(9).fill(20), 7);

  assert.equal(arrivals.buffered, false);
});

test('what is merely late, or comes after a stall of the gateway, is none either', () => {
  const arrivals = new Arrivals();
  arrivals.ask(0);
  arrivals.beat(0, 1, 0, true);
  follow(arrivals, 0, Array(12).fill(3000));
  arrivals.beat(20 * PERIOD, 20 * PERIOD + 3000, PERIOD);  // it slept
  arrivals.beat(21 * PERIOD, 21 * PERIOD, PERIOD);

  assert.equal(arrivals.buffered, false);
});

test('a clock that is set does not stay wrong', () => {
  const arrivals = new Arrivals();
  arrivals.ask(0);
  arrivals.beat(10, 20, 0, true);
  follow(arrivals, 60_000, [10]);

  assert.ok(Math.abs(arrivals.offset - 60_000) < 30);
});
