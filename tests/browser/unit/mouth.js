// mouth.js - a server that says what a test wants it to say, over a real socket: faults that the gateway does not make
// on demand. What the gateway itself says, tests/browser/test_client.py reads. SPDX-License-Identifier: MIT
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { SseClient } from '../../../gateway/dashboard/client/sse-client.js';
import { digestOfEvent } from '../../../gateway/dashboard/client/digest.js';

export const EPOCH = '0badcafe';
export const PATIENCE = Number(process.env.CMLWATCH_PATIENCE_MS ?? 20_000);

export async function until(condition, what) {
  for (const end = Date.now() + PATIENCE; ;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE} ms`);
    await sleep(5);
  }
}

export const worker = (id, more = {}) => ({ worker_id: id, name: id, region: 'us-east-1', status: 'running', cpu_utilization: 1, ec2_freshness: 'fresh', ...more });

// One answer to a request for the stream.
export class Voice {
  constructor(request, response) {
    this.request = request;
    this.response = response;
    this.query = new URL(request.url, 'http://x').searchParams;
    this.closed = false;
    response.on('close', () => { this.closed = true; });
  }
  begin(retry = 1000) {
    this.response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    this.response.write(`retry: ${retry}\n\n`);
    return this;
  }
  event(type, data, number) {
    const id = number === undefined ? '' : `id: ${EPOCH}-${number}\n`;
    this.response.write(`${id}event: ${type}\ndata: ${JSON.stringify({ type, source: 'test', time: new Date().toISOString(), seq: number ?? null, data })}\n\n`);
    return this;
  }
  connected(last, more = {}) {
    return this.event('connected', { client_id: 'c1', server_time: new Date().toISOString(), epoch: EPOCH, last_event_id: `${EPOCH}-${last}`,
      heartbeat_seconds: 1, retry_ms: 1000, user: null, ...more });
  }
  heartbeat(last, more = {}) {
    return this.event('heartbeat', { server_time: new Date().toISOString(), last_event_id: `${EPOCH}-${last}`, events_missed: 0, conflated: 0, lag_ms: 0, digest: null, ...more }, last);
  }
  state(last, workers, more = {}) {
    this.event('system.state.begin', { workers: workers.length, jobs: 0 });
    for (const each of workers) this.event('worker.snapshot', { ...each, _reason: 'initial' });
    return this.event('system.state.end', { workers: workers.length, jobs: 0, digest: null, ...more }, last);
  }
  beats(last, ms, more) {
    const timer = setInterval(() => this.heartbeat(typeof last === 'function' ? last() : last, more), ms);
    this.response.on('close', () => clearInterval(timer));
    return this;
  }
  status(code, headers = {}, body = '') {
    this.response.writeHead(code, headers);
    this.response.end(body);
  }
  end() { this.response.end(); }
}

export function digestOf(...workers) {
  const sum = workers.reduce((all, each) => all + digestOfEvent(JSON.stringify({ data: each }), each), 0n);
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}

// start(t, script): script is called with each Voice, in the order of requests; further paths go to `others`.
export async function start(t, script, { others = (request, response) => response.writeHead(404).end(), ...options } = {}) {
  const voices = [];
  const server = createServer((request, response) => {
    if (!request.url.startsWith('/api/events/stream')) { others(request, response); return; }
    const voice = new Voice(request, response);
    voices.push(voice);
    script(voice, voices.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  const client = new SseClient(`${url}/api/events/stream`, { random: () => 0, heartbeat: 1, ...options });
  const seen = { events: [], states: [], changes: [] };
  client.on('*', event => seen.events.push(event));
  client.onStatus(status => seen.states.push(status));
  client.onChange(change => seen.changes.push(change));
  t.after(() => { client.close(); server.closeAllConnections(); server.close(); });
  return { client, voices, url, ...seen, types: () => seen.events.map(event => event.type) };
}
