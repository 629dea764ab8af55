// filter.js - another filter for a stream that is open; fetched when somebody asks for one.
// SPDX-License-Identifier: MIT
const TRIES = 5, AGAIN_MS = 500;

// Asks the gateway to narrow or widen the stream of who it is that is told. With `message`, it will not have it; without
// `ok`, there was nobody to narrow, or it cannot, and the stream is to be opened anew.
export async function offer(patch, { url, init, fetch }, told) {
  for (let tries = TRIES; told() !== null; tries--) {
    const answer = await fetch(url.replace(/events\/stream$/, `clients/${told()}`), { ...init, method: 'PATCH', body: JSON.stringify(patch),
      headers: { 'Content-Type': 'application/json', ...init?.headers } }).catch(() => null);
    if (answer?.status === 409 && tries > 1) {  // its state is on the way
      await new Promise(done => { setTimeout(done, AGAIN_MS); });
      continue;
    }
    if (answer && answer.status >= 400 && answer.status !== 404 && answer.status < 500) {
      return { ok: false, message: (await answer.json().catch(() => null))?.detail ?? `the gateway answers ${answer.status}` };
    }
    return { ok: Boolean(answer?.ok) };
  }
  return { ok: false };
}

// What the filter does not name any more is not shown, and does not count.
export function narrow(params, model, sum) {
  const list = value => value === null || value === undefined ? null : new Set(String(value).split(','));
  const regions = list(params.regions), ids = list(params.worker_ids);
  for (const [id, worker] of model.workers) {
    if ((!regions || regions.has(worker.region)) && (!ids || ids.has(id))) continue;
    model.workers.delete(id);
    sum.delete(id);
  }
}
