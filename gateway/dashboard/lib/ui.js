// ui.js - Preact with htm, and the one way in which a view hears of what is live: it names topics, and is
// painted again in the next frame after one of them moved. A hidden tab paints nothing until it is seen.
// SPDX-License-Identifier: MIT
import { h, render, Component } from '../vendor/preact.js';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/hooks.js';
import htm from '../vendor/htm.js';

export const html = htm.bind(h);
export { render, Component, useEffect, useLayoutEffect, useMemo, useRef, useState };

const listeners = new Map(); // topic -> set of functions
const moved = new Set();
const moves = new Map(); // topic -> how often it has moved
const movesOf = topics => topics.reduce((sum, topic) => sum + (moves.get(topic) ?? 0), 0);
let planned = false;

function paint() {
  planned = false;
  const due = new Set();
  for (const topic of moved) for (const listener of listeners.get(topic) ?? []) due.add(listener);
  moved.clear();
  for (const listener of due) listener();
}

/** Something of these topics is another now. */
export function touch(...topics) {
  for (const topic of topics) {
    moved.add(topic);
    moves.set(topic, movesOf([topic]) + 1);
  }
  if (!planned && !document.hidden) {
    planned = true;
    requestAnimationFrame(paint);
  }
}
document.addEventListener('visibilitychange', () => { if (!document.hidden) touch(); });

/** Calls `listener` in the next frame after the topic moved; what it returns ends that. */
export function listen(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
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
    const listener = () => {
      const wait = (typeof every === 'function' ? every() : every) - (performance.now() - last);
      if (wait <= 0) go();
      else timer ||= setTimeout(go, wait);
    };
    const offs = topics.map(topic => listen(topic, listener));
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

const sheets = new Map();
/** A style sheet, once; resolved when it is there. */
export const sheet = path => sheets.get(path) ?? sheets.set(path, new Promise(resolve => {
  const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: path });
  link.onload = resolve;
  link.onerror = () => { sheets.delete(path); link.remove(); resolve(); };
  document.head.append(link);
})).get(path);

/** A component whose code, `name` of a module, is fetched when it is first shown; until then there is nothing. */
export function lazy(load, name) {
  let Shown = null;
  return props => {
    const [, again] = useState(0);
    useEffect(() => {
      if (!Shown) Promise.all([load(), sheet('/more.css')]).then(([module]) => { Shown = module[name]; again(1); }, () => {});
    }, []);
    return Shown ? html`<${Shown} ...${props}/>` : null;
  };
}
