// cells.js - small pieces that several views show the same way: a status as shape and word, a load with its
// sparkline, freshness by source. SPDX-License-Identifier: MIT
import { html } from '../lib/ui.js';
import { ago, DASH, percent } from '../lib/format.js';
import { client } from '../lib/live.js';

/** A shape for each kind of state, so that no meaning is in a colour alone. */
const SHAPES = {
  running: '●', available: '●', completed: '●', fresh: '●', pending: '◔', starting: '◔', assigned: '◔', in_progress: '◑', stopping: '◕', 'shutting-down': '◕',
  stopped: '■', terminated: '✕', cancelled: '✕', failed: '▲', error: '▲', unavailable: '▲', unknown: '?', critical: '▲', warning: '◆', info: '○',
};
export const Word = ({ value, quiet, says = value ?? DASH }) => html`<span class=${`word ${value}${quiet ? ' quiet' : ''}`}><span aria-hidden="true">${SHAPES[value] ?? '·'}</span> ${says.replaceAll('_', ' ')}</span>`;

/** The last values of a series; a gap is a gap. */
export function Spark({ values, label }) {
  const known = (values ?? []).filter(value => value !== null && value !== undefined);
  if (known.length < 2) return null;
  let path = '', pen = false;
  values.forEach((value, at) => {
    if (value === null || value === undefined) { pen = false; return; }
    path += `${pen ? 'L' : 'M'}${((at / (values.length - 1)) * 58 + 1).toFixed(1)} ${(15 - (Math.min(value, 100) / 100) * 14).toFixed(1)}`;
    pen = true;
  });
  return html`<svg class="spark" viewBox="0 0 60 16" width="60" height="16" role="img" aria-label=${label}><path d=${path}/></svg>`;
}

export const Load = ({ value, values, name }) => html`<span class=${`load ${value === null || value === undefined ? 'absent' : value >= 90 ? 'high' : value >= 70 ? 'warm' : ''}`}>
  ${values ? html`<${Spark} values=${values} label=${`${name} lately`}/>` : null}<b>${percent(value)}</b></span>`;

const SOURCES = [['ec2', 'E', 'EC2', 'ec2_last_checked_at'], ['cloudwatch', 'W', 'CloudWatch', 'cloudwatch_last_collected_at'], ['cml', 'C', 'CML', 'cml_last_synced_at']];
/** E·W·C, each judged by its own interval (the server does that); the age stands in the title. */
export const Freshness = ({ worker }) => html`<span class="fresh3">${SOURCES.map(([name, letter, long, at]) => {
  const word = worker[`${name}_freshness`];
  const says = `${long}: ${word === 'absent' ? 'not asked' : `${word}${worker[at] ? `, ${ago(worker[at], client.now())}` : ''}`}`;
  return html`<i class=${word} title=${says} aria-label=${says} role="img">${letter}</i>`;
})}</span>`;
