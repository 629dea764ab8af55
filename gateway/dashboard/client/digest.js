// digest.js - the proof that a picture is the server's: common/digest.h says what counts, in JavaScript.
//
// FNV-1a, 64 bits, over the UTF-8 of a snapshot up to its freshness; of a fleet, the sum modulo 2^64. Its prime is
// 2^40 + 435, so that a step is a shift and small products, in halves of 32 bits; whole numbers of 64 would take 30 times as long.
// SPDX-License-Identifier: MIT
const ENCODER = new TextEncoder();
let room = new Uint8Array(16384);

export function fnv1a(text) {
  if (room.length < 3 * text.length) room = new Uint8Array(6 * text.length);
  const { written } = ENCODER.encodeInto(text, room);
  let high = 0xcbf29ce4 | 0, low = 0x84222325 | 0;
  for (let at = 0; at < written; at++) {
    low ^= room[at];
    const first = (low & 0xffff) * 435, second = (low >>> 16) * 435 + (first >>> 16);
    high = Math.imul(high, 435) + (second >>> 16) + (low << 8) | 0;
    low = second << 16 | first & 0xffff;
  }
  return BigInt(high >>> 0) << 32n | BigInt(low >>> 0);
}

// Of a worker.snapshot event's whole data, as it came over the stream, and what was parsed of it.
export function digestOfEvent(text, snapshot) {
  if (snapshot.status === 'terminated') return 0n;
  const from = text.indexOf('"data":') + 7, end = text.lastIndexOf(',"ec2_freshness":');
  return fnv1a(text.slice(from, end < 0 ? -1 : end));
}

export class Sum {
  #of = new Map(); #sum = 0n;
  set(id, digest) {
    this.#sum = BigInt.asUintN(64, this.#sum + digest - (this.#of.get(id) ?? 0n));
    this.#of.set(id, digest);
  }
  delete(id) {
    this.set(id, 0n);
    this.#of.delete(id);
  }
  // Of how many workers it says something else than this one; one that is gone and one that is none are alike.
  differs(from) {
    const ids = new Set([...this.#of.keys(), ...from.#of.keys()]);
    return [...ids].filter(id => (this.#of.get(id) ?? 0n) !== (from.#of.get(id) ?? 0n)).length;
  }
  toString() { return this.#sum.toString(16).padStart(16, '0'); }
}
