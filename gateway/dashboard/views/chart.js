// chart.js - a worker's past, one metric a chart, drawn by uPlot: fetched when it is first looked at. What was not
// measured is a gap. SPDX-License-Identifier: MIT
import { html, useEffect, useRef, useState } from '../lib/ui.js';
import { ask } from '../lib/live.js';
import { setting } from '../lib/settings.js';

const HEIGHT = 110, AGAIN_MS = 60000;
let plots = null;
const load = () => (plots ??= Promise.all([import('../vendor/uplot.js'), new Promise(resolve => {
  const sheet = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: '/vendor/uplot.css' });
  sheet.onload = sheet.onerror = resolve;
  document.head.append(sheet);
})]).then(([module]) => module.default));

/** Samples as uPlot has them, with a hole wherever more than two and a half intervals passed. */
export function series({ samples, interval_seconds: near, thinned_interval_seconds: far }) {
  const times = [], values = [];
  samples.forEach(({ at, value }) => {
    const time = Date.parse(at) / 1000, last = times.at(-1);
    if (last !== undefined && time - last > 2.5 * (Date.now() / 1000 - time > 86400 ? far : near)) { times.push(last + near); values.push(null); }
    times.push(time);
    values.push(value);
  });
  return [times, values];
}

/** A canvas knows no light-dark(): an element works the colour out. */
function color(name) {
  const { style } = document.documentElement;
  style.setProperty('outline-color', `var(${name})`);
  const said = getComputedStyle(document.documentElement).outlineColor;
  style.removeProperty('outline-color');
  return said;
}
const ink = { stroke: () => color('--faint'), grid: { stroke: () => color('--line'), width: 1 }, ticks: { stroke: () => color('--line'), width: 1 } };
const CLOCK = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const DARK = matchMedia('(prefers-color-scheme: dark)');
const timeZone = () => (setting('zone') === 'utc' ? 'UTC' : undefined);
const timeTicks = (_, ticks, __, ___, step) => {
  const words = new Intl.DateTimeFormat('en-GB', { timeZone: timeZone(), ...(step >= 86400 ? { day: '2-digit', month: 'short' } : step < 60 ? { ...CLOCK, second: '2-digit' } : CLOCK) });
  return ticks.map(tick => words.format(tick * 1000));
};

/** From the first sample, or as far back as was asked for where there is none, to now. */
const period = (times, hours) => { const now = Date.now() / 1000; return [times.length > 1 ? times[0] : now - hours * 3600, Math.max(now, times.at(-1) ?? 0)]; };

export function Chart({ id, metric, label, unit, hours }) {
  const box = useRef(), shown = useRef([]), plot = useRef(null), [fault, setFault] = useState(null), [known, setKnown] = useState(true);
  useEffect(() => {
    let timer, over = false;
    const draw = async () => {
      try {
        const since = new Date(Date.now() - hours * 3600e3).toISOString();
        const [uPlot, answer] = await Promise.all([load(), ask(`/api/workers/${id}/history?metric=${metric}&since=${since}`)]);
        if (over) return;
        const data = series(answer);
        [shown.current] = data;
        setKnown(data[0].length > 0);
        setFault(null);
        if (plot.current) plot.current.setData(data);
        else {
          plot.current = new uPlot({
            width: box.current.clientWidth || 300, height: HEIGHT, cursor: { drag: { x: true, y: false } }, legend: { show: false },
            tzDate: time => (setting('zone') === 'utc' ? uPlot.tzDate(new Date(time * 1e3), 'Etc/UTC') : new Date(time * 1e3)),
            scales: { x: { range: () => period(shown.current, hours) }, y: { range: unit === '%' ? [0, 100] : (_, low, high) => [0, Math.max(1, high)] } },
            axes: [{ ...ink, space: 70, values: timeTicks }, { ...ink, size: 52, space: 22, values: (_, ticks) => ticks.map(tick => `${tick}${unit && ` ${unit}`}`) }],
            series: [{}, { label, stroke: () => color('--mark'), width: 1.5, spanGaps: false, points: { size: 4 } }],
          }, data, box.current);
        }
      } catch (error) { if (!over) setFault(error.message); }
      if (!over) timer = setTimeout(draw, AGAIN_MS);
    };
    draw();
    const again = () => plot.current?.redraw(true, true);
    DARK.addEventListener('change', again);
    const resize = () => plot.current?.setSize({ width: box.current.clientWidth, height: HEIGHT });
    addEventListener('resize', resize);
    return () => { over = true; clearTimeout(timer); removeEventListener('resize', resize); DARK.removeEventListener('change', again); plot.current?.destroy(); plot.current = null; };
  }, [id, metric, hours]);
  useEffect(() => { plot.current?.redraw(true, true); }, [setting('theme'), setting('zone')]);
  return html`<figure class="chart"><figcaption>${label}${known ? '' : html` <small>nothing measured yet</small>`}${fault ? html` <small role="alert">${fault}</small>` : null}</figcaption>
    <div ref=${box} role="img" aria-label=${`${label} over ${hours} hours`}></div></figure>`;
}
