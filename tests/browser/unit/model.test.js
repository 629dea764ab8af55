// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Model, noChange } from '../../../gateway/dashboard/client/model.js';

const worker = (id, more = {}) => ({ worker_id: id, id, name: id, status: 'running', cpu_utilization: 1, aws_tags: { a: 'b' }, ...more });

function modelOf(...workers) {
  const model = new Model();
  for (const each of workers) model.apply('worker.snapshot', each, noChange());
  return model;
}
function apply(model, type, data) {
  const changed = noChange();
  model.apply(type, data, changed);
  return changed;
}

test('a part is laid over the worker, which becomes another object', () => {
  const model = modelOf(worker('a')), before = model.workers.get('a');
  const changed = apply(model, 'worker.metrics.updated', { worker_id: 'a', cpu_utilization: 9 });

  assert.deepEqual(model.workers.get('a'), worker('a', { cpu_utilization: 9 }));
  assert.equal(before.cpu_utilization, 1);
  assert.deepEqual([...changed.workers], ['a']);
});

for (const [type, data, fields] of [
  ['worker.status.updated', { old_status: 'running', new_status: 'stopped', updated_at: 't' }, { status: 'stopped', updated_at: 't' }],
  ['worker.freshness.changed', { metric_source: 'cml', old: 'fresh', new: 'stale' }, { cml_freshness: 'stale' }],
  ['worker.idle_detection.toggled', { is_enabled: false }, { is_idle_detection_enabled: false }],
  ['worker.paused', { pause_reason: 'manual', paused_by: 'ada', paused_at: 't', auto_pause_count: 0, manual_pause_count: 1 },
    { pause_reason: 'manual', paused_by: 'ada', last_paused_at: 't', auto_pause_count: 0, manual_pause_count: 1 }],
  ['worker.terminated', { name: 'a', terminated_at: 't' }, { status: 'terminated', terminated_at: 't' }],
]) {
  test(`${type} changes what it tells and resets nothing`, () => {
    const model = modelOf(worker('a'));
    apply(model, type, { worker_id: 'a', ...data });

    assert.deepEqual(model.workers.get('a'), worker('a', fields));
  });
}

test('a batch is each of its events', () => {
  const model = modelOf(worker('a'), worker('b'));
  const changed = apply(model, 'worker.metrics.batch', { count: 2, events: [{ worker_id: 'a', cpu_utilization: 5 }, { worker_id: 'b', cpu_utilization: 6 }] });

  assert.deepEqual([...changed.workers], ['a', 'b']);
  assert.equal(model.workers.get('b').cpu_utilization, 6);
});

test('what changes nothing is no change, and why it was sent is no field', () => {
  const model = modelOf(worker('a')), before = model.workers.get('a');
  const changed = apply(model, 'worker.snapshot', worker('a', { _reason: 'metrics_collected' }));

  assert.equal(changed.workers.size, 0);
  assert.equal(model.workers.get('a'), before);
});

test('a part of a worker that nobody knows makes none', () => {
  const model = modelOf();
  apply(model, 'worker.metrics.updated', { worker_id: 'x', cpu_utilization: 5 });

  assert.equal(model.workers.size, 0);
});

test('a whole state changes what differs, takes away what it does not name, and never empties', () => {
  const model = modelOf(worker('a'), worker('b'), worker('c')), map = model.workers, same = map.get('a'), sizes = [];
  const next = modelOf(worker('a'), worker('b', { cpu_utilization: 2 }), worker('d'));
  const set = map.set.bind(map), remove = map.delete.bind(map), changed = noChange();
  map.set = (...each) => { set(...each); sizes.push(map.size); };
  map.delete = each => { sizes.push(map.size - 1); return remove(each); };
  model.replace(next, changed);

  assert.deepEqual([...changed.workers].sort(), ['b', 'c', 'd']);
  assert.equal(model.workers, map);
  assert.equal(map.get('a'), same);
  assert.deepEqual([...map.keys()].sort(), ['a', 'b', 'd']);
  assert.ok(Math.min(...sizes) >= 3, 'never less than either');
});

test('a job goes its way by its events', () => {
  const model = modelOf(), status = () => model.jobs.get('j')?.status;
  apply(model, 'job.submitted', { id: 'j', job_type: 'metrics.refresh', status: 'pending', progress: 0 });
  assert.equal(status(), 'pending');
  apply(model, 'job.assigned', { job_id: 'j', worker_id: 'a' });
  assert.equal(status(), 'assigned');
  apply(model, 'job.status.updated', { job_id: 'j', old_status: 'assigned', new_status: 'pending', reason: 'its runner has gone' });
  assert.equal(status(), 'pending');
  assert.ok(!('new_status' in model.jobs.get('j')));
  apply(model, 'job.progress', { job_id: 'j', progress: 40 });
  assert.deepEqual([status(), model.jobs.get('j').progress, model.jobs.get('j').job_type], ['in_progress', 40, 'metrics.refresh']);
  apply(model, 'job.failed', { job_id: 'j', error: 'x' });
  assert.equal(status(), 'failed');
});

test('ended jobs are kept, but not without bound, and a state does not take them away', () => {
  const model = modelOf();
  for (let n = 0; n < 500; n++) apply(model, 'job.completed', { job_id: `j${n}` });
  apply(model, 'job.submitted', { id: 'open', status: 'pending' });
  model.replace(modelOf(), noChange());

  assert.equal(model.jobs.size, 200);
  assert.ok(model.jobs.has('j499') && !model.jobs.has('j0') && !model.jobs.has('open'));
});
