// parser.js - text/event-stream by the letter of the HTML standard (9.2.6): bytes in, in any pieces, events out.
//
// An event over `limit` characters is dropped and told as such; its id still moves the cursor, or it would be asked
// for for ever. `lastEventId` is what one comes back with: it moves at an event's empty line, also without data.
// SPDX-License-Identifier: MIT
export class SseParser {
  #onEvent; #onRetry; #onOversized; #limit;
  #decoder = new TextDecoder();  // drops one byte order mark, replaces what is no UTF-8
  #rest = ''; #afterCr = false; #cut = false;
  #data = null; #type = ''; #id; #own = false; #size = 0;
  lastEventId;

  constructor({ onEvent, onRetry = () => {}, onOversized = () => {}, limit = 4 << 20, lastEventId = '' }) {
    this.#onEvent = onEvent;
    this.#onRetry = onRetry;
    this.#onOversized = onOversized;
    this.#limit = limit;
    this.lastEventId = this.#id = lastEventId;
  }

  push(bytes) {
    const text = this.#decoder.decode(bytes, { stream: true });
    let at = 0;
    if (text && this.#afterCr) {
      this.#afterCr = false;
      if (text[0] === '\n') at = 1;
    }
    const end = /[\r\n]/g;
    for (;;) {
      end.lastIndex = at;
      const found = end.exec(text)?.index;
      if (found === undefined) break;
      this.#keep(text, at, found);
      at = found + 1;
      if (text[found] === '\r') {
        if (at === text.length) this.#afterCr = true;
        else if (text[at] === '\n') at++;
      }
      const line = this.#rest;
      this.#rest = '';
      if (this.#cut && line) this.#cut = false;  // the end of a line that was too long
      else this.#take(line);
    }
    this.#keep(text, at, text.length);
  }

  #keep(text, from, to) {
    if (this.#rest.length + to - from > this.#limit) {
      this.#cut = true;
      this.#size = Infinity;
    }
    //  Of a line that is too long one character stays, so that it is no empty one.
    this.#rest = this.#cut ? ':' : this.#rest + text.slice(from, to);
  }

  #take(line) {
    if (line === '') { this.#dispatch(); return; }
    const colon = line.indexOf(':');  // a comment is a field without a name
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'data') {
      this.#size += value.length + 1;
      if (this.#size > this.#limit) this.#data = '';
      else this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
    } else if (name === 'event') this.#type = value;
    else if (name === 'id' && !value.includes('\0')) { this.#id = value; this.#own = true; }
    else if (name === 'retry' && /^[0-9]+$/.test(value)) this.#onRetry(Number(value));
  }

  #dispatch() {
    const data = this.#data, type = this.#type || 'message', oversized = this.#size > this.#limit;
    const own = this.#own;
    this.lastEventId = this.#id;
    this.#data = null;
    this.#type = '';
    this.#size = 0;
    this.#own = false;
    if (oversized) this.#onOversized(type);
    else if (data !== null) this.#onEvent({ type, data, id: this.lastEventId, own });
  }
}
