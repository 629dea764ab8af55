// digest.js - the proof that a picture is the server's: common/digest.h says what counts, in JavaScript.
//
// FNV-1a, 64 bits, over the UTF-8 of a snapshot up to its freshness; of a fleet, the sum modulo 2^64. The hash is kept
// in two halves: its prime is 2^40 + 435, so no product leaves what a double holds exactly.
// SPDX-License-Identifier: MIT
const ENCODER = new TextEncoder();

export function fnv1a(text) {
  let high = 0xcbf29ce4, low = 0x84222325;
  for (const byte of ENCODER.encode(text)) {
    low = (low ^ byte) >>> 0;
    const product = low * 435;
    high = (Math.imul(high, 435) + Math.floor(product / 0x100000000) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  return BigInt(high) << 32n | BigInt(low);
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
  toString() { return this.#sum.toString(16).padStart(16, '0'); }
}
