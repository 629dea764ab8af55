// live.js - what is live, in one place: the client library's picture, and what the page alone keeps beside it:
// the newest events, the alerts, a short past of each worker's CPU for its sparkline, who is looking.
// Everything is bounded. SPDX-License-Identifier: MIT
import { SseClient } from '../client/sse-client.js';
import { touch } from './ui.js';

const EVENTS_MAX = 2000, SPARKS_MAX = 40;

/** Resolved by the login form; null when nobody is asked. */
export const login = { ask: null };

export const client = new SseClient('/api/events/stream', {
  name: 'dashboard', heartbeat: 5, worker: '/client/worker.js', // by its name: pack puts this module elsewhere
  login: ({ message, signal }) => new Promise(resolve => {
    const done = value => { login.ask = null; touch('login'); resolve(value); };
    login.ask = { message, done };
    signal.addEventListener('abort', () => done());
    touch('login');
  }),
});
export const { workers, jobs } = client;

/** Newest last; each {id, type, time, source, data}. `dropped` counts those that had to go. */
export const log = { events: [], dropped: 0 };
/** worker id -> CPU values, oldest first. */
export const sparks = new Map();
/** worker id -> the newest event about it, but for its snapshots. */
export const lastEvents = new Map();
/** Kept by alerts.js, which comes after the first rows. */
export const alerts = { byId: new Map(), rules: [], known: false };
export const session = { user: null, role: 'viewer', auth: 'none', known: false };
/** How many users have gone from here: a view of one before is not the next one's. */
export const gone = { users: 0 };

const QUIET = new Set(['worker.snapshot', 'heartbeat', 'connected', 'system.state.begin', 'system.state.end', 'system.stats']);

function keepEvent(event) {
  if (QUIET.has(event.type)) return;
  log.events.push(event);
  if (log.events.length > EVENTS_MAX + 200) log.dropped += log.events.splice(0, 200).length;
  if (event.data?.worker_id && event.type !== 'worker.metrics.updated') lastEvents.set(event.data.worker_id, event);
  touch('events', event.data?.worker_id);
}

function keepSpark(id) {
  const worker = workers.get(id);
  if (!worker) { sparks.delete(id); lastEvents.delete(id); return; }
  const past = sparks.get(id) ?? [];
  past.push(worker.cpu_utilization);
  if (past.length > SPARKS_MAX) past.shift();
  sparks.set(id, past);
}

/** Somebody else sits here now, or nobody: what this page has kept of what the one before saw goes with him. */
function forget() {
  Object.assign(log, { events: [], dropped: 0 });
  for (const kept of [sparks, lastEvents, alerts.byId]) kept.clear();
  Object.assign(alerts, { rules: [], known: false });
  gone.users++;
  touch('route', 'events', 'alerts');
}

client.on('*', keepEvent);
client.onChange(change => {
  if (change.reason === 'forgotten') forget();
  for (const id of change.workers) {
    keepSpark(id);
    touch(id); // a row in sight hears of its own worker at once, the view as a whole a few times a second
  }
  const topics = [];
  if (change.workers.size) topics.push('workers');
  if (change.jobs.size) topics.push('jobs');
  if (change.stats) topics.push('stats');
  if (change.whole) { topics.push('workers', 'jobs', 'stats'); refreshSession(); }
  touch(...topics);
});

/** A gateway of another version has other pages: they are taken when nobody looks, never under somebody's eyes. */
let version = null, isOld = false;
async function checkVersion() {
  const now = await ask('/healthz').then(health => health.version, () => null);
  isOld ||= Boolean(now && version && now !== version);
  version ??= now;
  if (isOld && document.hidden) location.reload();
}
document.addEventListener('visibilitychange', () => { if (isOld && document.hidden) location.reload(); });
let state = '';
client.onStatus(status => {
  if (status.state === 'connected' && state !== 'connected') checkVersion();
  state = status.state;
  touch('status');
});

/** JSON of an answer; an error has the problem's own words. */
export async function ask(path, { method = 'GET', body, headers = {} } = {}) {
  const answer = await fetch(path, {
    method, credentials: 'same-origin',
    headers: body === undefined ? headers : { 'Content-Type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const type = answer.headers.get('content-type') ?? '';
  const said = type.includes('json') ? await answer.json() : null;
  if (!answer.ok) throw Object.assign(new Error(said?.detail ?? `the gateway answers ${answer.status}`), { status: answer.status, problem: said });
  return said;
}

export async function refreshSession() {
  try { Object.assign(session, await ask('/api/session'), { known: true }); } catch { /* the stream says what is wrong */ }
  touch('session');
}
export const mayCommand = () => session.auth === 'none' || session.role !== 'viewer';
export const activeAlerts = () => [...alerts.byId.values()].filter(alert => alert.state !== 'cleared');
