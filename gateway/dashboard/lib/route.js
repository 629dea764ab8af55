// route.js - where one is, in the address: `#/workers?status=running&sort=-cpu`, so that a view can be sent to
// somebody, comes back after a reload, and is never in a server's log. SPDX-License-Identifier: MIT
import { touch } from './ui.js';

export const VIEWS = ['workers', 'jobs', 'events', 'alerts', 'system'];
let here = read();

function read() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [view, id] = path.split('/').map(decodeURIComponent);
  return { view: view === 'worker' && id ? 'worker' : VIEWS.includes(view) ? view : 'workers', id: id ?? null, query: new URLSearchParams(query) };
}

export const route = () => here;

function write({ view, id, query }, replace) {
  const words = query.toString();
  const hash = `#/${view}${id ? `/${encodeURIComponent(id)}` : ''}${words ? `?${words}` : ''}`;
  if (replace) history.replaceState(null, '', hash);
  else history.pushState(null, '', hash);
  here = read();
  touch('route');
}

/** To another view; back leads here again. */
export function go(view, id = null, query = {}) {
  write({ view, id, query: new URLSearchParams(query) }, false);
  scrollTo(0, 0);
}

/** Another filter of this view: null takes a word out. No step of its own in the history. */
export function narrow(changes) {
  const query = new URLSearchParams(here.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
  }
  write({ ...here, query }, true);
}

export const link = (view, id) => `#/${view}${id ? `/${encodeURIComponent(id)}` : ''}`;

addEventListener('hashchange', () => { here = read(); touch('route'); });
addEventListener('popstate', () => { here = read(); touch('route'); });
