// system.js - cmlwatch itself: who collects and runs what, who is looking, what was lost or held back.
// SPDX-License-Identifier: MIT
import { html, useEffect, useLive, useState } from '../lib/ui.js';
import { ask, client } from '../lib/live.js';
import { count, duration, text } from '../lib/format.js';
import { parseMetrics, TELLING } from '../lib/metrics.js';
import { Collectors } from './collectors.js';

const EVERY_MS = 5000;

function usePolled(load) {
  const [value, set] = useState(null);
  useEffect(() => {
    let timer, over = false;
    const go = async () => {
      if (!document.hidden) { const got = await load().catch(error => ({ fault: error.message })); if (!over) set(got); }
      if (!over) timer = setTimeout(go, EVERY_MS);
    };
    go();
    return () => { over = true; clearTimeout(timer); };
  }, []);
  return value;
}

export function System() {
  useLive(['stats', 'status', 'settings'], 500);
  const clients = usePolled(() => ask('/api/clients'));
  const metrics = usePolled(async () => parseMetrics(await (await fetch('/metrics', { credentials: 'same-origin' })).text()));
  const health = usePolled(async () => ({ ...(await ask('/healthz')), ready: await ask('/readyz').then(() => 'ready', error => error.message) }));
  const [all, setAll] = useState(false);
  const stats = client.stats ?? {}, { status } = client, list = clients?.clients ?? [], most = name => Math.max(0, ...list.map(each => each[name])), sum = name => list.reduce((all, each) => all + each[name], 0);
  const telling = Array.isArray(metrics) ? metrics.filter(metric => all || (TELLING.test(metric.name) && metric.value)) : [];
  return html`
    <section aria-label="The gateway"><h2>This gateway</h2><dl class="facts">
      <dt>version</dt><dd>${text(health?.version)}</dd><dt>ready</dt><dd>${text(health?.ready)}</dd><dt>stands at</dt><dd>${text(status.position)}</dd><dt>lag to this page</dt><dd>${status.lag} ms</dd>
      <dt>its clients</dt><dd>${clients?.clients ? `${count(list.length)}, ${count(most('lag_ms'))} ms behind at most, ${count(sum('conflated'))} events conflated, ${count(sum('events_missed'))} missed` : text(clients?.fault)}</dd>
      <dt>workers by status</dt><dd>${Object.entries(stats.by_status ?? {}).map(([name, n]) => `${count(n)} ${name}`).join(', ')}</dd>
      <dt>by region</dt><dd>${Object.entries(stats.by_region ?? {}).map(([name, n]) => `${count(n)} in ${name}`).join(', ')}</dd></dl></section>
    <${Collectors}/>
    <section aria-label="Clients"><h2>Clients <small>${count(clients?.clients?.length)}</small></h2>
      ${clients?.fault ? html`<p class="empty">${clients.fault}</p>` : html`<div class="wide stack" tabindex="0" role="group" aria-label="Clients: table"><table role="table"><thead><tr><th>Name</th><th>User</th><th>Address</th><th>Filter</th><th>For</th><th>Mode</th><th>Behind</th><th>Lag</th><th>Missed</th><th>Conflated</th></tr></thead><tbody id="clients">
      ${list.slice(0, 200).map(each => html`<tr key=${each.id} class=${each.id === status.clientId ? 'own' : ''}><td>${text(each.name)}</td><td data-label="user">${text(each.user)}</td><td>${text(each.address)}</td><td class="filter"><code>${each.filter.slice(0, 60)}</code></td>
        <td data-label="for">${duration(each.age_seconds)}</td><td>${each.mode}</td><td data-label="behind">${count(each.events_behind)}</td><td data-label="lag">${count(each.lag_ms)} ms</td><td data-label="missed">${count(each.events_missed)}</td><td data-label="conflated">${count(each.conflated)}</td></tr>`)}</tbody></table></div>`}</section>
    <section aria-label="Counters"><div class="filters"><h2>What it counts</h2><label class="check"><input type="checkbox" checked=${all} onChange=${e => setAll(e.target.checked)}/> everything</label></div>
      ${metrics?.fault ? html`<p class="empty">${metrics.fault}</p>` : html`<div class="wide stack" tabindex="0" role="group" aria-label="Counters: table"><table role="table"><tbody>${telling.map(metric => html`<tr><td><code>${metric.name}</code> <small>${metric.labels}</small></td><td class="number">${count(metric.value)}</td><td class="message"><small>${metric.help}</small></td></tr>`)}</tbody></table></div>`}
      <p><small>The aggregator and each collector have their own /metrics.</small></p></section>`;
}
