// metrics.js - Prometheus' text read. Pure. SPDX-License-Identifier: MIT

/** Prometheus' text, as far as a table needs it. */
export function parseMetrics(body) {
  const found = [], help = {};
  for (const line of body.split('\n')) {
    const about = /^# HELP (\S+) (.*)$/.exec(line);
    if (about) { help[about[1]] = about[2]; continue; }
    const sample = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)/.exec(line);
    if (sample && !sample[1].endsWith('_bucket')) found.push({ name: sample[1], labels: sample[2] ?? '', value: Number(sample[3]), help: help[sample[1].replace(/_(sum|count)$/, '')] ?? help[sample[1]] ?? '' });
  }
  return found;
}
/** What one looks for when something seems wrong. */
export const TELLING = /conflated|dropped|missed|gaps|refused|evicted|malformed|overflow|lag|reconnects|joins|clients|behind|resumes|lost|failures|slow/;
