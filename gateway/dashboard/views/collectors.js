// collectors.js - who reads what, how much is asked of whom for that, and what it costs a month: as the collectors say it of
// themselves, each by account and region. SPDX-License-Identifier: MIT
import { html, useLive } from '../lib/ui.js';
import { client } from '../lib/live.js';
import { count, dollars, plural, text } from '../lib/format.js';
import { budgetOf, callsAnHour, sumOf } from '../lib/usage.js';
import { Word } from './cells.js';

const TONE = { beyond: 'critical', near: 'warning', within: 'fresh', none: 'info' };
const short = id => id.replace('/collector/', '');
const place = ({ account, region }) => (region === '*' ? 'others' : [account, region].filter(Boolean).join(' · '));

const Numbers = ({ of, hour }) => html`<td data-label="calls">${count(of.calls)}${hour === null || hour === undefined ? null : html` <small>${count(hour)} an hour</small>`}</td>
  <td data-label="failed">${count(of.failed)}</td><td data-label="throttled">${count(of.throttled)}</td><td data-label="billed">${count(of.billed)}</td>`;

function Budget({ of }) {
  const state = budgetOf(of);
  return state ? html`${dollars(of.cost_usd_month)} <span data-budget=${state[0]}><${Word} value=${TONE[state[0]]} says=${state[1]}/></span>` : '–';
}

function Rows({ of, state, now }) {
  return html`<tr data-collector=${of.collector_id}><th scope="row">${short(of.collector_id)} <small>${text(of.version)}</small></th><td data-label="jobs">${state ? html`<${Word} value=${state}/>` : '–'}</td><td data-label="reads">${count(of.units)}</td>
    <${Numbers} of=${of} hour=${callsAnHour(of, now)}/><td data-label="a month"><${Budget} of=${of}/></td><td data-label="rounds skipped">${count(of.rounds_overdue)}</td><td data-label="messages lost">${count(of.lost)}</td></tr>
    ${of.usage.map(each => html`<tr class="part" data-part=${place(each)}><td>${place(each)}</td><td></td><td></td><${Numbers} of=${each}/><td data-label="a month">${each.cost_usd_month === null ? '–' : dollars(each.cost_usd_month)}</td><td></td><td></td></tr>`)}`;
}

export function Collectors() {
  useLive(['stats', 'settings'], 500);
  const { collectors = [], runners = [] } = client.stats ?? {}, sum = sumOf(collectors), now = client.now();
  const states = new Map(runners.map(({ runner_id: id, state }) => [id, state])), others = runners.filter(({ runner_id: id }) => !collectors.some(each => each.collector_id === id));
  return html`
    <section aria-label="Collectors"><h2>Collectors <small>${count(collectors.length)}</small></h2>
      ${collectors.length ? html`<p id="usage">${count(sum.calls)} calls, ${count(sum.failed)} failed, ${count(sum.throttled)} throttled; ${sum.cost === null ? 'nothing that costs' : html`<b>${dollars(sum.cost)}</b> a month at this pace`}${sum.stretched
    ? `, ${plural(sum.stretched, 'collector')} seldomer to keep a budget` : ''}; ${plural(sum.lost, 'message')} lost.</p>
      <div class="wide stack" tabindex="0" role="group" aria-label="Collectors: table"><table role="table"><thead><tr><th>Who</th><th>Jobs</th><th>Reads</th><th>Calls</th><th>Failed</th><th>Throttled</th><th>Billed</th><th>A month</th><th>Rounds skipped</th><th>Lost</th></tr></thead><tbody>
        ${collectors.map(each => html`<${Rows} key=${each.collector_id} of=${each} state=${states.get(each.collector_id)} now=${now}/>`)}</tbody></table></div>
      <p><small>As each says it of itself, since its start; skipped rounds: the last one still ran. Each has its own /metrics besides.</small></p>`
    : html`<p class="empty">No collector has been heard lately.</p>`}</section>
    <section aria-label="Runners"><h2>Other runners <small>${count(others.length)}</small></h2>
      ${others.length ? html`<div class="wide stack" tabindex="0" role="group" aria-label="Runners: table"><table role="table"><thead><tr><th>Who</th><th>State</th><th>Runs</th><th>Now</th></tr></thead><tbody>
      ${others.map(runner => html`<tr><td>${runner.runner_id}</td><td><${Word} value=${runner.state}/></td><td class="message">${runner.job_types.join(', ')}</td><td>${runner.running} of ${runner.concurrency}</td></tr>`)}</tbody></table></div>`
    : html`<p class="empty">Nobody else has registered to run jobs.</p>`}</section>`;
}
