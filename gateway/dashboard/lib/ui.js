// ui.js - Preact with htm, and the one way in which a view hears of what is live: it names topics, and is
// painted again in the next frame after one of them moved. A hidden tab paints nothing until it is seen.
// SPDX-License-Identifier: MIT
import { h, render, Component } from '../vendor/preact.js';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/hooks.js';
import htm from '../vendor/htm.js';

export const html = htm.bind(h);
export { render, Component, useEffect, useLayoutEffect, useMemo, useRef, useState };

const listeners = new Map(); // topic -> listener -> whether it hears at once
const moved = new Set();
const moves = new Map(); // topic -> how often it has moved
const movesOf = topics => topics.reduce((sum, topic) => sum + (moves.get(topic) ?? 0), 0);
let planned = false;

function paint() {
  planned = false;
  const due = new Set();
  for (const topic of moved) for (const [listener] of listeners.get(topic) ?? []) due.add(listener);
  moved.clear();
  for (const listener of due) listener();
}

/** Something of these topics is another now. A frame is asked for only where somebody will paint in it: an idle one costs, too. */
export function touch(...topics) {
  for (const topic of topics) {
    moves.set(topic, movesOf([topic]) + 1);
    if (listeners.has(topic)) moved.add(topic);
  }
  if (document.hidden) return;
  for (const topic of moved) {
    let waits = false;
    for (const [listener, atOnce] of listeners.get(topic) ?? []) if (atOnce) listener(); else waits = true;
    if (!waits) moved.delete(topic);
  }
  if (moved.size && !planned) {
    planned = true;
    requestAnimationFrame(paint);
  }
}
document.addEventListener('visibilitychange', () => { if (!document.hidden) touch(); });

/** Calls `listener` in the next frame after the topic moved, or at once, if it only sets a clock; what it returns ends that. */
export function listen(topic, listener, atOnce = false) {
  if (!listeners.has(topic)) listeners.set(topic, new Map());
  listeners.get(topic).set(listener, atOnce);
  return () => {
    const all = listeners.get(topic);
    all.delete(listener);
    if (all.size === 0) listeners.delete(topic);
  };
}

/** Paints the component again whenever one of the topics moves; at most once in `every` ms, which may be a function. */
export function useLive(topics, every = 0) {
  const [, again] = useState(0), seen = movesOf(topics);
  useEffect(() => {
    let last = 0, timer = 0;
    const go = () => { timer = 0; last = performance.now(); again(n => n + 1); };
    const listener = every ? () => {
      timer ||= setTimeout(() => requestAnimationFrame(go), (typeof every === 'function' ? every() : every) - (performance.now() - last));
    } : go;
    const offs = topics.map(topic => listen(topic, listener, Boolean(every)));
    if (movesOf(topics) !== seen) go(); // between the first painting and now
    return () => {
      clearTimeout(timer);
      for (const off of offs) off();
    };
  }, []);
}

/** Paints it again each `ms`, for ages that grow while nothing happens. */
export function useClock(ms = 1000) {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) again(n => n + 1); }, ms);
    return () => clearInterval(timer);
  }, [ms]);
}

const RETRY_MS = 3000, sheets = new Map();
/** A style sheet, once; resolved when it is there. */
export const sheet = path => sheets.get(path) ?? sheets.set(path, new Promise(resolve => {
  const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: path });
  link.onload = resolve;
  link.onerror = () => { sheets.delete(path); link.remove(); resolve(); };
  document.head.append(link);
})).get(path);

/** A component whose code, `name` of a module, is fetched when it is first shown, and again where that failed; until then there is nothing. */
export function lazy(load, name) {
  let Shown = null;
  return props => {
    const [tries, again] = useState(0);
    useEffect(() => {
      let timer = 0;
      if (!Shown) Promise.all([load(), sheet('/more.css')]).then(([module]) => { Shown = module[name]; again(-1); }, () => { timer = setTimeout(() => again(tries + 1), RETRY_MS); });
      return () => clearTimeout(timer);
    }, [tries]);
    return Shown ? html`<${Shown} ...${props}/>` : null;
  };
}
