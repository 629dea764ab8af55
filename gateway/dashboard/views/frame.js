// frame.js - what stands around each view: name, tabs, search, badge, pause, looks, keys; and one line when
// something is to be said. A view's code is fetched when it is first looked at. SPDX-License-Identifier: MIT
import { html, lazy, sheet, useEffect, useLive, useState } from '../lib/ui.js';
import { activeAlerts, client, gone, jobs, login, workers } from '../lib/live.js';
import { go, link, narrow, route, VIEWS } from '../lib/route.js';
import { set, setting } from '../lib/settings.js';
import { duration, plural } from '../lib/format.js';
import { Badge } from './badge.js';
import { Fleet } from './fleet.js';

const LOADERS = {
  worker: () => import('./worker.js').then(m => m.WorkerView),
  jobs: () => import('./jobs.js').then(m => m.Jobs),
  events: () => import('./events.js').then(m => m.Events),
  alerts: () => import('./alerts.js').then(m => m.Alerts),
  system: () => import('./system.js').then(m => m.System),
};
const loaded = { workers: Fleet };
const Help = lazy(() => import('./help.js'), 'Help'), [Account, Icon] = ['Account', 'Icon'].map(name => lazy(() => import('./account.js'), name)), Login = lazy(() => import('./login.js'), 'Login'), Toasts = lazy(() => import('./toasts.js'), 'Toasts');

function View() {
  useLive(['route']);
  useLive(['status'], 500);
  const [, again] = useState(0), [failed, fail] = useState(null);
  const { view, id } = route(), isLive = client.status.state === 'connected';
  useEffect(() => {
    if (loaded[view]) return;
    Promise.all([LOADERS[view](), sheet('/more.css')]).then(([made]) => { loaded[view] = made; again(n => n + 1); }, ({ message }) => fail({ view, message }));
  }, [view, isLive]); // what could not be fetched is asked for again when the gateway is back
  const Shown = loaded[view];
  if (!Shown) return html`<p class="empty" role="status">${failed?.view === view ? `This view could not be loaded: ${failed.message}` : '…'}</p>`;
  return html`<${Shown} key=${view + (id ?? '') + gone.users} id=${id}/>`;
}

const nextTheme = () => set('theme', { auto: 'light', light: 'dark', dark: 'auto' }[setting('theme')]);
const nextZone = () => set('zone', setting('zone') === 'utc' ? 'local' : 'utc');
const nextKiosk = () => set('kiosk', setting('kiosk') === 'on' ? 'off' : 'on');
const pause = () => (client.status.paused ? client.resume() : client.pause());

function useKeys(help) {
  useEffect(() => {
    const onKey = event => {
      const { tagName, type, isContentEditable } = event.target, typing = isContentEditable || (/^(INPUT|SELECT|TEXTAREA)$/.test(tagName) && type !== 'checkbox');
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
      if (event.key === 'Escape' && event.target.id === 'find') { event.target.blur(); return; }
      if (typing) return;
      const act = {
        '/': () => document.getElementById('find')?.focus(), p: pause, t: nextTheme, z: nextZone, k: nextKiosk, '?': help,
        Escape: () => { if (route().view === 'worker') go('workers'); },
      }[event.key] ?? (VIEWS[event.key - 1] && (() => go(VIEWS[event.key - 1])));
      if (act) { event.preventDefault(); act(); }
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

/** One line, of what matters most. */
function Banner() {
  useLive(['status', 'settings']);
  const [back, setBack] = useState(null);
  useEffect(() => {
    let timer;
    const off = client.on('client.back', ({ data }) => {
      if (data.seconds < 1) return;
      setBack(`back after ${duration(data.seconds)}, ${plural(data.changes, 'change')}`);
      clearTimeout(timer);
      timer = setTimeout(() => setBack(null), 8000);
    });
    return () => { off(); clearTimeout(timer); };
  }, []);
  const { status } = client;
  const line = status.state === 'error' ? ['bad', `The stream: ${status.message || status.reason}. What is shown is as it was ${client.age === null ? '' : `${duration(client.age / 1000)} ago`}.`]
    : status.notice ? ['warn', status.notice]
    : status.synced && status.state !== 'connected' ? ['warn', 'No word from the gateway: what is shown is what was last known.']
    : status.paused ? ['info', `Live updates are held: ${plural(status.waiting, 'event')} waiting.`]
    : back ? ['good', back] : null;
  return html`<p class=${`banner ${line?.[0] ?? ''}`} hidden=${!line} role="status">${line?.[1]}
    ${status.paused ? html` <button type="button" onClick=${() => client.resume()}>go on</button>` : null}</p>`;
}

function Tabs() {
  useLive(['route']);
  useLive(['workers', 'jobs', 'alerts'], 500);
  const { view } = route(), open = [...jobs.values()].filter(job => ['pending', 'assigned', 'in_progress'].includes(job.status)).length;
  const numbers = { workers: workers.size, jobs: open || null, alerts: activeAlerts().length || null };
  return html`<nav aria-label="Views">${VIEWS.map(name => html`
    <a href=${link(name)} aria-current=${view === name || (view === 'worker' && name === 'workers') ? 'page' : null}>${name[0].toUpperCase() + name.slice(1)}
      ${numbers[name] ? html` <small>${numbers[name]}</small>` : null}</a>`)}</nav>`;
}

function Search() {
  useLive(['route']);
  const { view, query } = route();
  const type = event => { if (view === 'worker') go('workers', null, { q: event.target.value }); else narrow({ q: event.target.value }); };
  return html`<form role="search" onSubmit=${event => event.preventDefault()}>
    <input id="find" type="search" aria-label="Find" placeholder="Find  ( / )" autocomplete="off" value=${query.get('q') ?? ''} onInput=${type}/></form>`;
}

export function Frame() {
  useLive(['login']);
  useLive(['settings', 'status', 'alerts'], 250);
  const [help, setHelp] = useState(false), [quiet, setQuiet] = useState(false);
  useKeys(() => setHelp(true));
  const { status } = client, { synced } = status, more = synced || (status.state !== 'connected' && status.reason !== 'opening'); // what is not for the first rows
  useEffect(() => {
    const timer = synced && setTimeout(() => setQuiet(true), 1500); // toasts are not for the first look
    return () => clearTimeout(timer);
  }, [synced]);
  return html`
    <a class="skip" href="#content" onClick=${event => { event.preventDefault(); document.getElementById('content').focus(); }}>to the content</a>
    <header>
      <h1><img src="/icon.svg" alt="" width="22" height="22"/> cmlwatch</h1>
      <${Tabs}/><${Search}/>
      <${Badge}/>
      <button type="button" id="pause" aria-pressed=${status.paused} onClick=${pause}>${status.paused ? `go on (${status.waiting} waiting)` : 'pause'}</button>
      <button type="button" id="theme" onClick=${nextTheme} title="theme: ${setting('theme')}" aria-label="theme: ${setting('theme')}">${{ auto: '◑', light: '☀', dark: '☾' }[setting('theme')]}</button>
      <button type="button" id="zone" onClick=${nextZone} title="times are ${setting('zone')}">${setting('zone') === 'utc' ? 'UTC' : 'local'}</button>
      <button type="button" id="keys" onClick=${() => setHelp(true)} aria-label="keys and settings">?</button>
      ${more ? html`<${Account}/><${Icon}/>` : null}
    </header>
    <${Banner}/>${login.ask ? html`<${Login}/>` : null}
    <main id="content" tabindex="-1" data-away=${status.synced && status.state !== 'connected'}><${View}/></main>
    ${quiet ? html`<${Toasts} key=${gone.users}/>` : null}
    ${help ? html`<${Help} close=${() => setHelp(false)}/>` : null}`;
}
