// usage.js - what the collectors say they use, in sums and words. Pure. SPDX-License-Identifier: MIT

/** Calls in an hour at the pace since it began; null before there is a pace. */
export function callsAnHour({ calls, since }, now) {
  const seconds = since ? (now - Date.parse(since)) / 1000 : 0;
  return seconds >= 60 ? Math.round(calls / seconds * 3600) : null;
}

const NEAR = 0.8;
/** How a collector's cost stands to its budget: [a word, a sentence], null where nothing costs. */
export function budgetOf({ cost_usd_month: cost, budget_usd: budget, interval_stretch: stretch }) {
  if (cost === null || cost === undefined) return null;
  if (!budget) return ['none', 'no budget is set'];
  if (cost > budget) return ['beyond', `beyond $${budget}: intervals are ${(stretch ?? 1).toFixed(2)} times as long`];
  return cost >= NEAR * budget ? ['near', `near its $${budget}`] : ['within', `within $${budget}`];
}

/** Of all collectors; `cost` is null where nobody knows one, and `stretched` those that read seldomer to keep a budget. */
export function sumOf(collectors) {
  const add = name => collectors.reduce((sum, each) => sum + (each[name] ?? 0), 0), costs = collectors.filter(each => each.cost_usd_month !== null);
  return { calls: add('calls'), failed: add('failed'), throttled: add('throttled'), billed: add('billed'), lost: add('lost'), overdue: add('rounds_overdue'),
    cost: costs.length ? costs.reduce((sum, each) => sum + each.cost_usd_month, 0) : null, stretched: collectors.filter(each => each.interval_stretch > 1).length };
}
