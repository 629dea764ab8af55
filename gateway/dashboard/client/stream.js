// stream.js - one stream that always comes back, and says how it is.
//
// Read by fetch, not by an EventSource: that one gives up for ever after any answer but 200, tells neither status nor
// Retry-After, and reads OPEN when the stream has gone silent. Whether it lives is judged by what came last: nothing
// for 2.25 heartbeats is a stall, and it is opened anew. Waits are random within a bound that doubles up to 30 s (full
// jitter), never shorter than the server asked for. It knows nothing of workers: events go to `onEvents`, and `position`
// is kept by whoever takes them.
// SPDX-License-Identifier: MIT
import { SseParser } from './parser.js';

const WAIT_MOST_MS = 30_000, FLOOR_MOST_MS = 600_000, STALL = 2.25, DETAIL_MOST = 300;
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

// Before the try after so many failures; chance is of [0, 1).
export const waitOf = (attempt, retry, floor, chance) => Math.max(floor, chance * Math.min(WAIT_MOST_MS, retry * 2 ** attempt));

class Refusal extends Error {
  constructor(state, reason, message, floor = 0) { super(message); Object.assign(this, { state, reason, floor }); }
}

function retryAfter(headers) {
  const value = headers.get('Retry-After');
  const ms = /^\d+$/.test(value ?? '') ? value * 1000 : Date.parse(value ?? '') - Date.now();
  return Math.min(FLOOR_MOST_MS, Math.max(0, ms || 0));
}

async function detailOf(response) {
  if (!response.headers.get('Content-Type')?.includes('json')) return '';
  const problem = await response.json().catch(() => null);
  return String(problem?.detail ?? problem?.title ?? '').slice(0, DETAIL_MOST);
}

async function judge(response) {
  const { status } = response, type = response.headers.get('Content-Type') ?? 'nothing';
  if (status === 200) {
    if (/^text\/event-stream\b/i.test(type)) return;
    throw new Refusal('error', 'type', `${new URL(response.url).pathname} answers ${type} instead of a stream: is this a proxy's page?`);
  }
  if (status === 204) throw new Refusal('disconnected', 'stopped', 'the gateway asks not to come back');
  const detail = await detailOf(response), message = `the gateway answers ${status}${detail && `: ${detail}`}`;
  if (status === 401) throw new Refusal('error', 'login', detail || 'a login is needed');
  throw new Refusal(PASSING.has(status) ? 'reconnecting' : 'error', `http ${status}`, message, retryAfter(response.headers));
}

export class Stream {
  position = ''; attempt = 0; reconnects = 0; heard = 0;
  #options; #say; #controller = null; #retry = 1000; #floor = 0; #timer; #watch; #open = false; #why = null;

  // options: url (without parameters), query() -> URLSearchParams, heartbeat (s), fetch, init() (of fetch), limit, random,
  // onOpen(), onEvents(events, position), onOversized(type), onStatus({state, reason, message, attempt, retryAt})
  constructor(options) {
    this.#options = { random: Math.random, ...options };
    this.#say = (state, reason = '', message = '', retryAt = null) =>
      options.onStatus({ state, reason, message, attempt: this.attempt, retryAt });
  }

  get running() { return this.#controller !== null || this.#timer !== undefined; }

  start() { if (!this.running) this.#connect('opening'); }

  // For good; `reason` and `message` say why.
  stop(reason = 'closed', message = '') {
    this.#drop();
    this.#say('disconnected', reason, message);
  }

  // Now, whatever it waits for.
  reconnect(reason = 'asked') {
    this.attempt = 0;
    this.#connect(reason);
  }

  // Now, when it only waits; what it was told to wait stays.
  hurry() { if (this.#timer && !this.#floor) this.reconnect('awake'); }

  // It has been told of an end: what follows is not the network's fault.
  ends(message, retryMs) {
    this.#floor = Math.min(FLOOR_MOST_MS, retryMs);
    this.#why = { state: 'reconnecting', reason: 'shutdown', message };
  }

  // What came is a sign of life: this one is good, and the next failure is the first.
  lives() { this.attempt = 0; }

  connected() {
    this.#open = true;
    this.#say('connected');
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    this.#timer = this.#watch = undefined;
    this.#controller?.abort();
    this.#controller = null;
  }

  #connect(reason) {
    this.#drop();
    this.#floor = 0;
    this.#why = null;
    this.#open = false;
    const controller = this.#controller = new AbortController();
    this.#say('reconnecting', reason);
    this.#read(controller.signal).then(
      () => new Refusal('reconnecting', 'ended', 'the stream has ended'),
      error => error,
    ).then(error => { if (controller === this.#controller) this.#again(error); });
  }

  async #read(signal) {
    const { url, query, fetch, limit, onOpen, onEvents, onOversized } = this.#options;
    const asked = query(), init = this.#options.init?.();
    if (this.position) asked.set('last_event_id', this.position);
    this.#hear();
    onOpen();
    const response = await fetch(`${url}?${asked}`, { cache: 'no-store', ...init, signal, headers: { Accept: 'text/event-stream', ...init?.headers } });
    await judge(response);
    let events = [], floor = 0;
    const parser = new SseParser({
      limit, onOversized, lastEventId: this.position,
      onEvent: event => events.push(event),
      onRetry: ms => { this.#retry = Math.min(WAIT_MOST_MS, ms); floor = ms; },
    });
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) break;
      this.#hear();
      parser.push(value);
      const batch = events;
      events = [];
      try { onEvents(batch, parser.lastEventId); } catch (error) {
        (globalThis.reportError ?? console.error)(error);
        throw new Refusal('error', 'internal', `the client stumbled: ${error.message}`);
      }
      if (signal.aborted) return;
    }
    //  An answer that ends before it began is a "not now": when to come back is said in it.
    if (!this.#open) throw new Refusal('reconnecting', 'busy', 'the gateway cannot serve now', Math.min(FLOOR_MOST_MS, floor));
  }

  #hear() {
    this.heard = performance.now();
    if (!this.#watch) this.#look();
  }

  #look() {
    const period = this.#options.heartbeat * 1000 * STALL, controller = this.#controller;
    this.#watch = setTimeout(() => {
      this.#watch = undefined;
      if (performance.now() - this.heard < period) this.#look();
      else if (controller === this.#controller) {
        this.#again(new Refusal('reconnecting', 'silent', `nothing has come for ${(period / 1000).toFixed(0)} s`));
      }
    }, Math.max(10, this.heard + period - performance.now()));
  }

  #again(error) {
    this.#drop();
    const { state = 'reconnecting', reason = 'network', message } = this.#why ?? error;
    const text = error instanceof Refusal || this.#why ? message : 'the gateway cannot be reached';
    if (state === 'disconnected') { this.stop(reason, text); return; }
    this.#floor = Math.max(this.#floor, error.floor ?? 0);
    const wait = reason === 'login' ? WAIT_MOST_MS : waitOf(this.attempt, this.#retry, this.#floor, this.#options.random());
    this.attempt++;
    this.reconnects++;
    this.#timer = setTimeout(() => this.#connect(reason), wait);
    this.#say(state, reason, text, Date.now() + wait);
  }
}
