// sse-client.d.ts - what sse-client.js offers; README.md shows it at work. SPDX-License-Identifier: MIT

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Freshness = 'fresh' | 'stale' | 'absent' | 'error';

/** The canonical snapshot: every key is there, unknown is null. The rest of its keys are in /api/schema/snapshot.json. */
export interface Worker {
  worker_id: string;
  id: string;
  name: string;
  region: string;
  aws_instance_id: string;
  instance_type: string | null;
  status: 'pending' | 'starting' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated' | 'failed' | 'unknown';
  service_status: 'unavailable' | 'starting' | 'available' | 'error';
  cpu_utilization: number | null;
  memory_utilization: number | null;
  storage_utilization: number | null;
  cml_labs_count: number | null;
  ec2_freshness: Freshness;
  cloudwatch_freshness: Freshness;
  cml_freshness: Freshness;
  [field: string]: any;
}

export interface Job {
  id: string;
  job_type: string;
  status: 'pending' | 'assigned' | 'in_progress' | 'completed' | 'failed' | 'cancelled';
  priority: number;
  progress: number;
  worker_id: string | null;
  [field: string]: any;
}

/** An event of the stream, or one of the library's own (`client.gap`, `client.back`). */
export interface StreamEvent<D = any> {
  type: string;
  source: string;
  time: string;
  seq: number | null;
  data: D;
  /** `<epoch>-<number>`: where the stream stands with it; empty for the library's own. */
  id: string;
}
/** What lies between cannot be had as events; the state that follows says where it led to. */
export type GapEvent = StreamEvent<{ reason: string; after: string | null }>;
/** It was away for so long; so many changes came of that time. exact: each event of it was told. */
export type BackEvent = StreamEvent<{ seconds: number; changes: number; exact: boolean }>;

/** What one batch changed. An id that is not in the map any more has left. */
export interface Change {
  workers: Set<string>;
  jobs: Set<string>;
  stats: boolean;
  /** A whole state was laid over what was there. */
  whole: boolean;
  reason: 'events' | 'stream' | 'joined' | 'asked' | 'filter' | 'forgotten';
}

export interface Counters {
  events: number;
  /** Events that the server left out, for this client was too slow. */
  missed: number;
  /** Events that came by resuming after a gap. */
  replayed: number;
  /** Workers that a whole state corrected after a gap that could not be replayed: those whose digest was another. */
  repaired: number;
  /** Times that the digest differed from the server's. */
  mismatches: number;
  resyncs: number;
  reconnects: number;
  duplicates: number;
  malformed: number;
  oversized: number;
}

export interface Status {
  /**
   * connected: something came within 2.25 heartbeats. reconnecting: it is being opened, or waits to be (`retryAt`).
   * error: the gateway or a proxy answers in a way that does not heal by itself; it goes on trying.
   * disconnected: nothing is tried any more.
   */
  state: 'connected' | 'reconnecting' | 'disconnected' | 'error';
  /**
   * opening, network, ended, silent, busy, shutdown, `http 502`, type, login, stopped, asked, awake, resync, unused,
   * closed; empty when connected.
   */
  reason: string;
  /** For people; may be empty. */
  message: string;
  /** Failures in a row. */
  attempt: number;
  /** ms since 1970, local clock; null when nothing is waited for. */
  retryAt: number | null;
  /** When the last heartbeat came, likewise. */
  beatAt: number | null;
  /** ms from the gateway's writing the last heartbeat to its arrival. */
  lag: number;
  /** ms that the server's clock is ahead of ours. */
  offset: number;
  /** A fault of the way itself in plain words (a proxy that buffers), or empty. */
  notice: string;
  /** A whole state has been seen: what is shown is a picture of the fleet, if perhaps an old one. */
  synced: boolean;
  position: string;
  clientId: string | null;
  user: string | null;
  epoch: string | null;
  heartbeat: number;
  /** Tabs on this stream. */
  tabs: number;
  counters: Counters;
  /** The stream is in a SharedWorker. */
  shared: boolean;
  paused: boolean;
  /** Events that wait while paused. */
  waiting: number;
}

/** The stream's own parameters: `regions`, `worker_ids`, `topics`, `event_types`, `max_hz`, `batch_ms`, ... */
export type Filter = { [parameter: string]: string | number | string[] | null };

export interface Options {
  /** Seconds between heartbeats, 1 to 60; 5 when not said. A stall shows after 2.25 of them. */
  heartbeat?: number;
  filter?: Filter;
  /** For the gateway's list of clients. */
  name?: string;
  headers?: { [name: string]: string };
  credentials?: 'omit' | 'same-origin' | 'include';
  /**
   * Asked when the gateway wants a login: resolves when there is one, perhaps with other headers to send. The signal is aborted when it is not needed any
   * more, as when somebody has logged in in another tab.
   */
  login?: (ask: { message: string; signal: AbortSignal }) => void | { headers?: { [name: string]: string } } | Promise<void | { headers?: { [name: string]: string } }>;
  /** false: a stream of this page's own. */
  shared?: boolean;
  /** Where worker.js lies, when a bundler has put it elsewhere; of the page's own origin. */
  worker?: string;
  /** Events kept while paused (1,000); beyond it, the whole state is taken at the end. */
  maxWaiting?: number;
  /** Characters of one event (4 Mi); a longer one is left out and counted. */
  maxEventLength?: number;
  /** In place of the platform's; makes the stream this page's own. */
  fetch?: typeof fetch;
  random?: () => number;
}

export type Unsubscribe = () => void;

export class SseClient {
  constructor(url?: string | URL, options?: Options);
  /** The same Map for good; its values are replaced, never changed. */
  readonly workers: ReadonlyMap<string, Worker>;
  /** Open jobs, and the last 200 that ended while this listened. */
  readonly jobs: ReadonlyMap<string, Job>;
  /** The last `system.stats`. */
  readonly stats: { [name: string]: any } | null;
  readonly status: Status;
  /** ms since the last heartbeat; null before the first. */
  readonly age: number | null;
  /** The server's time, in ms since 1970. */
  now(): number;
  /**
   * Events as they happen, after they are in the maps: an exact type, `worker.*` or `*`. Snapshots of a whole state are
   * no events here; onChange tells of them.
   */
  on(type: string, handler: (event: StreamEvent) => void): Unsubscribe;
  /** At once, and at each heartbeat and change of the link. */
  onStatus(handler: (status: Status) => void): Unsubscribe;
  /** After each batch that changed something. */
  onChange(handler: (change: Change) => void): Unsubscribe;
  /** Live updates off: the maps stay as they are; events of the link itself (`heartbeat`, ...) are told on. */
  pause(): void;
  resume(): void;
  /** Now, in place of when its turn comes; exact. */
  reconnect(): void;
  /** The whole state anew. */
  resync(): void;
  /** For a logout, after it: no tab shows any more what that user saw, and the stream is opened anew. */
  forget(): void;
  /** Another filter for the open stream, as a JSON merge patch; it holds for all tabs that share it. */
  filter(patch: Filter): Promise<void>;
  close(): void;
}
