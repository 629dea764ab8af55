// arrivals.js - what the times of heartbeats tell: how far the clocks are apart, how late news is, and whether somebody
// between holds the stream back. Pure: it is told each time.
//
// The server's clock is ahead by o; a stamp s was written at our time s - o, after we asked (t0) and before it came
// (t1): so s - t1 <= o <= s - t0. A proxy that buffers shows by heartbeats that were written apart and come together;
// once may be a network's hiccup, so it takes two such arrivals, and as many quiet ones to take it back.
// SPDX-License-Identifier: MIT
const BUNCHES = 2, QUIET = 8;

export class Arrivals {
  offset = 0; lag = 0; buffered = false;
  #low = -Infinity; #high = Infinity; #asked = 0; #before = null; #bunches = 0; #quiet = 0; #running = false;

  ask(now) {
    this.#asked = now;
    this.#before = null;
    this.#low = -Infinity;
    this.#high = Infinity;
  }

  // The stamp of `connected` (first) or of a heartbeat, and when it came; all in ms.
  beat(stamp, now, period, first = false) {
    if (first) this.#high = stamp - this.#asked;
    this.#low = Math.max(this.#low, stamp - now);
    if (this.#low > this.#high) this.#low = this.#high = stamp - now;  // a clock was set
    this.offset = Math.round((this.#low + this.#high) / 2);
    this.lag = Math.max(0, now + this.offset - stamp);
    if (this.#before && !first) this.#compare(stamp - this.#before.stamp, now - this.#before.now, period);
    this.#before = { stamp, now };
  }

  #compare(apart, here, period) {
    const bunched = apart > 0.8 * period && here < 0.3 * apart;
    if (bunched) {
      if (!this.#running) this.#bunches++;
      this.#quiet = 0;
    } else if (here < 1.5 * apart && ++this.#quiet >= QUIET) this.#bunches = 0;
    this.#running = bunched;
    this.buffered = this.#bunches >= BUNCHES;
  }
}
