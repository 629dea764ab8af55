// hub.js - owns the stream and the picture of it, and tells every tab.
//
// It runs in a SharedWorker, one for all tabs of a browser, or in the page where there is none; tabs speak with it
// through a MessagePort either way. What it says: `welcome`, `state` (the whole picture), `events` ([type, id, text]...,
// in order), `status`, `answer`. A state is gathered aside between its two marks and laid over the picture at once; a
// state cut in the middle changes nothing, not even the position. A digest that differs asks for the state anew, at
// growing intervals: a difference that stays is said, and not asked about for ever.
// SPDX-License-Identifier: MIT
import { Arrivals } from './arrivals.js';
import { Sum, digestOfEvent } from './digest.js';
import { Model, noChange } from './model.js';
import { Stream } from './stream.js';

const SILENT_MS = 180_000;   // a tab that has said nothing for so long is frozen or gone
const GATHER_MS = 8;
const REPAIR_MS = 10_000, REPAIR_MOST_MS = 300_000;
const BUFFERED = 'Something between here and the gateway holds the stream back: heartbeats come late and several at once. ' +
  'A proxy that buffers must be told not to (nginx: proxy_buffering off).';
const HELD = 'The gateway answers, but its stream does not arrive: a proxy between seems to hold it back (nginx: proxy_buffering off).';

const numberOf = id => Number(id.slice(id.lastIndexOf('-') + 1));
const epochOf = id => id.slice(0, id.lastIndexOf('-'));

export class Hub {
  #stream; #params; #options;
  #model = new Model(); #sum = new Sum(); #gather = null; #synced = false;
  #ports = new Map();
  #arrivals = new Arrivals();
  #status = { state: 'reconnecting', reason: 'opening', message: '', attempt: 0, retryAt: null };
  #about = { clientId: null, user: null, epoch: null, beatAt: null, heldBack: 0 };
  #counters = { events: 0, duplicates: 0, malformed: 0, oversized: 0, missed: 0, replayed: 0, resyncs: 0, repaired: 0, mismatches: 0 };
  #missedBefore = 0; #lost = null; #returning = null; #repair = { at: 0, wait: REPAIR_MS }; #out = []; #flushed = 0; #flushing;
  #resyncing = false; #sweep;

  // options: {url, params, heartbeat, init, limit}; fetch and random for tests
  constructor({ fetch = (...each) => globalThis.fetch(...each), ...options }) {
    this.#options = { ...options, fetch };
    this.#params = { ...options.params };
    this.#stream = new Stream({
      ...this.#options,
      init: () => this.#options.init,
      query: () => this.#query(),
      onOpen: () => { this.#gather = null; this.#resyncing = false; this.#arrivals.ask(Date.now()); },
      onEvents: (events, position) => this.#take(events, position),
      onOversized: () => { this.#counters.oversized++; },
      onStatus: status => this.#onStatus(status),
    });
  }

  #query() {
    const query = new URLSearchParams({ heartbeat: this.#options.heartbeat });
    for (const [name, value] of Object.entries(this.#params)) if (value !== null && value !== undefined) query.set(name, String(value));
    return query;
  }

  // --- tabs

  attach(port) {
    port.onmessage = ({ data }) => this.#hear(port, data);
    port.start?.();
    this.#join(port);
    this.#sweep ??= setInterval(() => this.#prune(), SILENT_MS / 3);
    this.#sweep.unref?.();  // Node: no reason to stay
    if (!this.#stream.running && this.#status.reason !== 'stopped') this.#stream.start();
  }

  #join(port) {
    this.#flush();  // what waits is in the picture already
    this.#ports.set(port, Date.now());
    port.postMessage({ op: 'welcome' });
    if (this.#synced) port.postMessage(this.#state('joined'));
    port.postMessage({ op: 'status', status: this.#whole() });
  }

  #hear(port, { op, id, patch, headers }) {
    if (op === 'bye') { this.#leave(port); return; }
    if (!this.#ports.has(port)) {
      this.#join(port);
      if (!this.#stream.running) this.#stream.start();
    }
    this.#ports.set(port, Date.now());
    if (op === 'state') {
      this.#flush();
      port.postMessage(this.#state('asked'));
    }
    if (op === 'reconnect') {
      if (headers) this.#options.init = { ...this.#options.init, headers };
      this.#stream.reconnect();
    } else if (op === 'forget') this.#forget('forgotten');
    else if (op === 'awake') this.#stream.hurry();
    else if (op === 'resync') this.#resync('asked');
    else if (op === 'filter') this.#filter(patch).then(answer => port.postMessage({ op: 'answer', id, ...answer }));
  }

  #prune() {
    for (const [port, at] of this.#ports) if (Date.now() - at > SILENT_MS) this.#leave(port);
  }

  // The last one turns off the light; the position stays, and who comes next goes on from it.
  #leave(port) {
    this.#ports.delete(port);
    if (this.#ports.size === 0) {
      clearInterval(this.#sweep);
      this.#sweep = undefined;
      this.#stream.stop('unused');
    }
  }

  #tell(message) { for (const port of this.#ports.keys()) port.postMessage(message); }

  #state(reason) {
    const { workers, jobs, stats } = this.#model;
    return { op: 'state', workers, jobs, stats, reason };
  }

  // At once when it is quiet; in a flood all tabs have fewer and larger messages, a frame's half later at most.
  #flushSoon() {
    const wait = this.#flushed + GATHER_MS - performance.now();
    if (wait <= 0) this.#flush();
    else this.#flushing ??= setTimeout(() => this.#flush(), wait);
  }

  #flush() {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    this.#flushed = performance.now();
    if (this.#out.length) this.#tell({ op: 'events', events: this.#out });
    this.#out = [];
  }

  // An event of our own, among the stream's.
  #remark(type, data) {
    const time = new Date().toISOString();
    this.#out.push([type, '', JSON.stringify({ type, source: 'client', time, seq: null, data })]);
  }

  // --- how it is

  #onStatus(status) {
    if (this.#status.state === 'connected' && status.state !== 'connected') this.#lost ??= Date.now();
    this.#status = status;
    this.#tellStatus();
    if (status.reason === 'silent') this.#ask();
  }

  #tellStatus() {
    this.#flush();
    this.#tell({ op: 'status', status: this.#whole() });
  }

  #whole() {
    const { offset, lag, buffered } = this.#arrivals, { beatAt, clientId, user, epoch, heldBack } = this.#about;
    const notice = buffered ? BUFFERED : heldBack > 1 ? HELD : '';
    return { ...this.#status, beatAt, lag, offset, clientId, user, epoch, notice, synced: this.#synced, position: this.#stream.position,
      tabs: this.#ports.size, heartbeat: this.#options.heartbeat, counters: { ...this.#counters, reconnects: this.#stream.reconnects } };
  }

  // The stream is silent: does the gateway answer at all?
  async #ask() {
    const { url, init, fetch } = this.#options;
    const signal = AbortSignal.timeout(2000);
    const answer = await fetch(url.replace(/api\/events\/stream$/, 'healthz'), { cache: 'no-store', ...init, signal }).catch(() => null);
    if (!answer?.ok) { this.#about.heldBack = 0; return; }
    if (++this.#about.heldBack > 1) this.#tellStatus();
  }

  // --- what comes

  #take(events, position) {
    for (const event of events) {
      if (event.own && !this.#OWN[event.type] && this.#isKnown(event.id)) { this.#counters.duplicates++; continue; }
      let data;
      try { ({ data } = JSON.parse(event.data)); } catch { this.#counters.malformed++; continue; }
      this.#counters.events++;
      this.#event(event, data ?? {});
      if (this.#resyncing) break;
      if (!this.#gather) this.#stream.position = event.id || this.#stream.position;
    }
    if (!this.#gather && !this.#resyncing && position) this.#stream.position = position;
    this.#cameBack();
    if (events.some(({ type }) => this.#OWN[type])) this.#flush();
    else this.#flushSoon();
  }

  #isKnown(id) {
    const { position } = this.#stream;
    return !this.#gather && position && epochOf(id) === epochOf(position) && numberOf(id) <= numberOf(position);
  }

  #event({ type, data: text, id }, data) {
    const own = this.#OWN[type];
    if (own) own(data, id);
    else if (this.#gather) this.#apply(this.#gather.model, this.#gather.sum, type, data, text);
    else {
      if (this.#returning && numberOf(id) <= numberOf(this.#returning.until || '')) this.#returning.changes++;
      this.#apply(this.#model, this.#sum, type, data, text);
    }
    if (!this.#gather || own) this.#out.push([type, id, text]);
  }

  #apply(model, sum, type, data, text) {
    model.apply(type, data, noChange());
    if (type === 'worker.snapshot') sum.set(data.worker_id, digestOfEvent(text, data));
  }

  #OWN = {
    connected: data => {
      if (this.#synced && data.user !== this.#about.user) { this.#forget('another user'); return; }
      Object.assign(this.#about, { clientId: data.client_id, user: data.user, epoch: data.epoch, beatAt: Date.now() });
      this.#arrivals.beat(Date.parse(data.server_time), Date.now(), 0, true);
      this.#missedBefore = this.#counters.missed;
      if (this.#lost !== null) {
        const seconds = Math.round((Date.now() - this.#lost) / 1000);
        this.#returning = { seconds, changes: 0, until: this.#stream.position && data.last_event_id, whole: false };
        this.#lost = null;
      }
      this.#stream.connected();
    },
    heartbeat: data => {
      this.#about.beatAt = Date.now();
      this.#about.heldBack = 0;
      this.#arrivals.beat(Date.parse(data.server_time), Date.now(), this.#options.heartbeat * 1000);
      this.#counters.missed = this.#missedBefore + data.events_missed;
      this.#stream.lives();
      if (!this.#gather) this.#check(data.digest, this.#sum);
      this.#tellStatus();
    },
    'system.reset': data => this.#remark('client.gap', { reason: data.reason, after: data.requested_id ?? this.#stream.position }),
    'system.state.begin': () => { this.#gather = { model: new Model(), sum: new Sum() }; },
    'system.state.end': (data, id) => {
      if (!this.#gather) return;
      this.#stream.position = id || this.#stream.position;  // before it is told: where the picture stands
      const { model, sum } = this.#gather, changed = noChange();
      this.#gather = null;
      this.#model.replace(model, changed);
      if (this.#synced) this.#counters.repaired += sum.differs(this.#sum);  // times and freshness, which it leaves out, are no fault
      this.#sum = sum;
      if (this.#returning) Object.assign(this.#returning, { changes: changed.workers.size, whole: true });
      this.#synced = true;
      this.#flush();
      this.#tell(this.#state('stream'));
      this.#tellStatus();
      this.#check(data.digest, sum);
    },
    'system.sse.shutdown': data => this.#stream.ends(data.message, data.retry_ms),
  };

  // --- what was missed

  #cameBack() {
    const back = this.#returning;
    if (!back || this.#gather) return;
    const { position } = this.#stream, there = back.whole ||
      (back.until && epochOf(position) === epochOf(back.until) && numberOf(position) >= numberOf(back.until));
    if (!there) return;
    this.#returning = null;
    if (!back.whole) this.#counters.replayed += back.changes;
    this.#tellStatus();
    this.#remark('client.back', { seconds: back.seconds, changes: back.changes, exact: !back.whole });
  }

  #check(digest, sum) {
    if (!digest || !this.#synced) return;
    if (digest === sum.toString()) { this.#repair.wait = REPAIR_MS; return; }
    this.#counters.mismatches++;
    if (Date.now() < this.#repair.at) return;
    this.#repair.at = Date.now() + this.#repair.wait;
    this.#repair.wait = Math.min(REPAIR_MOST_MS, 2 * this.#repair.wait);
    this.#resync('the picture differs from the server\'s');
  }

  // Somebody else sits here now: what the one before saw is not theirs.
  #forget(reason) {
    this.#model.replace({ workers: new Map(), jobs: new Map(), stats: null }, noChange(), false);
    this.#synced = false;
    this.#about.user = null;
    this.#tell(this.#state('forgotten'));
    this.#resync(reason);
  }

  #resync(reason) {
    this.#counters.resyncs++;
    this.#remark('client.gap', { reason, after: this.#stream.position });
    this.#stream.position = '';
    this.#resyncing = true;
    this.#flush();
    queueMicrotask(() => this.#stream.reconnect('resync'));
  }

  // --- another filter for the stream that is open

  async #filter(patch) {
    const { narrow, offer } = await import('./filter.js');
    const told = () => this.#status.state === 'connected' ? this.#about.clientId : null, asked = told();
    const { ok, message } = await offer(patch, this.#options, told);
    if (message) return { ok, message };
    Object.assign(this.#params, patch);
    if (ok && asked === this.#about.clientId) {
      narrow(this.#params, this.#model, this.#sum);
      this.#flush();
      this.#tell(this.#state('filter'));
    } else this.#resync('another filter');
    return { ok: true };
  }
}
