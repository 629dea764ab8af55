// history.js - a worker's past as a chart has it; times in seconds. Pure.
// SPDX-License-Identifier: MIT

/** Samples as uPlot has them, with a hole wherever more than two and a half intervals passed. */
export function series({ samples, interval_seconds: near, thinned_interval_seconds: far }, now) {
  const times = [], values = [];
  samples.forEach(({ at, value }) => {
    const time = Date.parse(at) / 1000, last = times.at(-1);
    if (last !== undefined && time - last > 2.5 * (now - time > 86400 ? far : near)) { times.push(last + near); values.push(null); }
    times.push(time);
    values.push(value);
  });
  return [times, values];
}

/** From the first sample, or as far back as was asked for where there is none, to now. */
export const period = (times, hours, now) => [times.length > 1 ? times[0] : now - hours * 3600, Math.max(now, times.at(-1) ?? 0)];
