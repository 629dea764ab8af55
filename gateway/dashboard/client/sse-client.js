// sse-client.js - cmlwatch, live, for a page: workers and jobs by id, events as they happen, and how the link is.
//
// README.md tells how it is used, sse-client.d.ts what there is. The stream itself is in a SharedWorker, so that all
// tabs of a browser have one (a host gives a browser six connections on HTTP/1.1, and the seventh tab would hang); where
// there is none, or its construction fails, it is in the page. Either way this side only hears a port.
// SPDX-License-Identifier: MIT
import { Model, noChange } from './model.js';

const VERSION = 1;             // of what is said through the port: tabs of another version have another worker
// One that fails says so at once. A machine with much to do starts it late, and a stream of each tab's own would be more of it.
const WELCOME_MS = 10_000, HERE_MS = 20_000, GONE = 2.5;

const workerUrl = named => {
  const url = named ?? new URL('./worker.js', import.meta.url).href;
  return globalThis.trustedTypes?.createPolicy('cmlwatch-client', { createScriptURL: () => url }).createScriptURL('') ?? url;
};
let trusted;

const LINK = /^(connected|heartbeat|system\.(state|reset|sse)\b.*)$/;

const report = error => { (globalThis.reportError ?? console.error)(error); };

const call = (handlers, argument) => {
  for (const handler of handlers ?? []) {
    try { handler(argument); } catch (error) { report(error); }
  }
};

export class SseClient {
  #options; #login; #worker; #waitingMost; #port = null; #model = new Model();
  #handlers = new Map(); #onStatus = new Set(); #onChange = new Set();
  #status = { state: 'reconnecting', reason: 'opening', message: '', attempt: 0, retryAt: null, beatAt: null, lag: 0, offset: 0,
    notice: '', synced: false, counters: {} };
  #shared = false; #paused = false; #held = []; #waiting = 0; #stale = false;
  #asking = null; #answers = new Map(); #asked = 0; #here; #welcome; #silent; #listeners = new AbortController();

  constructor(url = '/api/events/stream', { heartbeat = 5, filter = {}, name, headers, credentials, login, shared = true, worker,
    maxWaiting = 1000, maxEventLength, fetch, random } = {}) {
    const init = { ...(headers && { headers }), ...(credentials && { credentials }) };
    const at = new URL(url, globalThis.location?.href), params = { ...Object.fromEntries(at.searchParams), ...filter, ...(name && { client: name }) };
    at.search = at.hash = '';
    this.#options = { url: at.href, heartbeat, params, init, limit: maxEventLength };
    this.#login = login;
    this.#worker = worker;
    this.#waitingMost = maxWaiting;
    if (!shared || fetch || !this.#share()) this.#own({ ...(fetch && { fetch }), ...(random && { random }) });
    this.#here = setInterval(() => this.#post('here'), HERE_MS);
    this.#here.unref?.();
    this.#watchPage();
  }

  get workers() { return this.#model.workers; }
  get jobs() { return this.#model.jobs; }
  get stats() { return this.#model.stats; }
  get status() { return { ...this.#status, shared: this.#shared, paused: this.#paused, waiting: this.#waiting }; }
  // Milliseconds since the last heartbeat; null before the first.
  get age() { return this.#status.beatAt === null ? null : Math.max(0, Date.now() - this.#status.beatAt); }
  // The server's time, in ms since 1970.
  now() { return Date.now() + this.#status.offset; }

  on(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type).add(handler);
    return () => { this.#handlers.get(type).delete(handler); };
  }
  onStatus(handler) {
    this.#onStatus.add(handler);
    call([handler], this.status);
    return () => { this.#onStatus.delete(handler); };
  }
  onChange(handler) {
    this.#onChange.add(handler);
    return () => { this.#onChange.delete(handler); };
  }

  reconnect() { this.#post('reconnect'); }
  resync() { this.#post('resync'); }

  // For a logout, after it: no tab shows any more what that user saw, and the stream is opened anew.
  forget() { this.#post('forget'); }

  // What comes is counted and kept, up to a bound; beyond it the whole state is fetched at the end.
  pause() {
    this.#paused = true;
    this.#tell();
  }
  resume() {
    if (!this.#paused) return;
    const held = this.#held, stale = this.#stale;
    this.#paused = this.#stale = false;
    this.#waiting = 0;
    this.#held = [];
    if (stale) this.#post('state');
    else this.#events(held);
    this.#tell();
  }

  // A JSON merge patch of the filter: {regions: ['us-east-1'], worker_ids: null}. It holds for all tabs.
  filter(patch) {
    const id = ++this.#asked;
    this.#post('filter', { id, patch });
    return new Promise((done, fail) => { this.#answers.set(id, { done, fail }); });
  }

  close() {
    clearInterval(this.#here);
    this.#listeners.abort();
    this.#leave('closed');
    this.#status = { ...this.#status, state: 'disconnected', reason: 'closed', message: '', retryAt: null };
    this.#tell();
  }

  // --- the other side

  #share() {
    if (!globalThis.SharedWorker) return false;
    try {
      const worker = new SharedWorker(trusted ??= workerUrl(this.#worker), { type: 'module', name: `cmlwatch ${VERSION} ${JSON.stringify(this.#options)}` });
      const instead = () => {
        if (this.#port !== worker.port) return;
        this.#leave('the worker does not start');
        this.#own({});
      };
      worker.onerror = instead;
      this.#welcome = setTimeout(instead, WELCOME_MS);
      this.#shared = true;
      this.#listen(worker.port);
      worker.port.postMessage({ op: 'hello', options: this.#options });
    } catch {  // of another origin, forbidden by a policy, out of memory
      return false;
    }
    return true;
  }

  #leave(why) {
    clearTimeout(this.#welcome);
    clearTimeout(this.#silent);
    this.#post('bye');
    this.#port?.close();
    this.#port = null;
    for (const { fail } of this.#answers.values()) fail(new Error(why));
    this.#answers.clear();
  }

  // A worker says something at each heartbeat, or says when it will. One that does not has been ended by the browser.
  #expect({ state, retryAt }) {
    clearTimeout(this.#silent);
    if (!this.#shared || state === 'disconnected') return;
    this.#silent = setTimeout(() => {
      this.#setStatus({ ...this.#status, state: 'reconnecting', reason: 'silent', message: 'the worker has gone', retryAt: null });
      this.#leave('the worker has gone');
      if (!this.#share()) this.#own({});
    }, Math.max(0, (retryAt ?? 0) - Date.now()) + GONE * 1000 * this.#options.heartbeat);
  }

  #own(more) {
    const { port1, port2 } = new MessageChannel();
    this.#shared = false;
    this.#listen(port1);
    import('./hub.js').then(({ Hub }) => new Hub({ ...this.#options, ...more }).attach(port2), report);
  }

  #listen(port) {
    this.#port = port;
    port.onmessage = ({ data }) => this.#hear(data);
    port.start?.();
  }

  #post(op, more) { this.#port?.postMessage({ op, ...more }); }

  // A page that is put aside lets go of the stream; one that is looked at again does not wait for its turn.
  #watchPage() {
    const { document } = globalThis;
    if (!document) return;
    const { signal } = this.#listeners, awake = () => { if (!document.hidden) this.#post('awake'); };
    addEventListener('pagehide', () => this.#post('bye'), { signal });
    addEventListener('pageshow', awake, { signal });
    addEventListener('online', awake, { signal });
    document.addEventListener('visibilitychange', awake, { signal });
  }

  #hear(message) {
    if (message.op === 'welcome') clearTimeout(this.#welcome);
    else if (message.op === 'status') this.#setStatus(message.status);
    else if (message.op === 'state') this.#state(message);
    else if (message.op === 'events') this.#events(message.events);
    else if (message.op === 'answer') {
      const { done, fail } = this.#answers.get(message.id) ?? {};
      this.#answers.delete(message.id);
      if (message.ok) done?.();
      else fail?.(new Error(message.message));
    }
  }

  #setStatus(status) {
    this.#status = status;
    this.#expect(status);
    if (status.reason === 'login') this.#ask(status.message);
    else if (status.state === 'connected') this.#asking?.abort();
    this.#tell();
  }

  #tell() { call(this.#onStatus, this.status); }

  #ask(message) {
    if (this.#asking || !this.#login) return;
    const asking = this.#asking = new AbortController();
    asking.signal.addEventListener('abort', () => { this.#asking = null; });
    Promise.resolve(this.#login({ message, signal: asking.signal })).then(granted => {
      if (asking.signal.aborted) return;
      asking.abort();
      this.#post('reconnect', { headers: granted?.headers });
    }, error => { asking.abort(); report(error); });
  }

  // --- what comes

  #state(state) {
    if (this.#paused) {
      this.#stale = true;
      this.#held = [];
      this.#waiting++;
      this.#tell();
      if (state.reason !== 'forgotten') return;  // which no pause holds up
    }
    const changed = noChange();
    this.#model.replace(state, changed, false);  // the hub's is the whole
    call(this.#onChange, { ...changed, reason: state.reason });
  }

  #events(events) {
    if (this.#paused) events = this.#hold(events);
    const changed = noChange();
    for (const [type, id, text] of events) {
      const event = JSON.parse(text);
      event.id = id;
      this.#model.apply(type, event.data, changed);
      this.#dispatch(type, event);
    }
    if (changed.workers.size || changed.jobs.size || changed.stats) call(this.#onChange, { ...changed, reason: 'events' });
  }

  // All but what tells of the link itself, which is returned.
  #hold(events) {
    const news = events.filter(([type]) => !LINK.test(type));
    this.#waiting += news.length;
    if (!this.#stale) this.#held.push(...news);
    if (this.#held.length > this.#waitingMost) { this.#held = []; this.#stale = true; }
    if (news.length) this.#tell();
    return events.filter(([type]) => LINK.test(type));
  }

  #dispatch(type, event) {
    call(this.#handlers.get(type), event);
    for (let at = type.lastIndexOf('.'); at > 0; at = type.lastIndexOf('.', at - 1)) call(this.#handlers.get(`${type.slice(0, at)}.*`), event);
    call(this.#handlers.get('*'), event);
  }
}
