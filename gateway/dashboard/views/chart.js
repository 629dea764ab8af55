// chart.js - a worker's past, one metric a chart, drawn by uPlot: fetched when it is first looked at. What was not
// measured is a gap. SPDX-License-Identifier: MIT
import { html, sheet, useEffect, useRef, useState } from '../lib/ui.js';
import { ask } from '../lib/live.js';
import { period, series } from '../lib/history.js';
import { setting } from '../lib/settings.js';

const HEIGHT = 110, AGAIN_MS = 60000;
let plots = null;
const load = () => (plots ??= Promise.all([import('../vendor/uplot.js'), sheet('/vendor/uplot.css')]).then(([module]) => module.default));

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

export function Chart({ id, metric, label, unit, hours }) {
  const box = useRef(), shown = useRef([]), plot = useRef(null), [fault, setFault] = useState(null), [known, setKnown] = useState(true);
  useEffect(() => {
    let timer, over = false;
    const draw = async () => {
      try {
        const since = new Date(Date.now() - hours * 3600e3).toISOString();
        const [uPlot, answer] = await Promise.all([load(), ask(`/api/workers/${id}/history?metric=${metric}&since=${since}`)]);
        if (over) return;
        const data = series(answer, Date.now() / 1000);
        [shown.current] = data;
        setKnown(data[0].length > 0);
        setFault(null);
        if (plot.current) plot.current.setData(data);
        else {
          plot.current = new uPlot({
            width: box.current.clientWidth || 300, height: HEIGHT, cursor: { drag: { x: true, y: false } }, legend: { show: false },
            tzDate: time => (setting('zone') === 'utc' ? uPlot.tzDate(new Date(time * 1e3), 'Etc/UTC') : new Date(time * 1e3)),
            scales: { x: { range: () => period(shown.current, hours, Date.now() / 1000) }, y: { range: unit === '%' ? [0, 100] : (_, low, high) => [0, Math.max(1, high)] } },
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
