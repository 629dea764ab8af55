// What the page works out without a document: filters, order, words, series, notices, metrics, exports.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterOf, hold, idleSince, Listing, matches, needsAttention } from '../../../gateway/dashboard/lib/fleet.js';
import { csv, curl } from '../../../gateway/dashboard/lib/export.js';
import { period, series } from '../../../gateway/dashboard/lib/history.js';
import { parseMetrics } from '../../../gateway/dashboard/lib/metrics.js';
import { flood, merge, wanted } from '../../../gateway/dashboard/lib/notices.js';
import { budgetOf, callsAnHour, sumOf } from '../../../gateway/dashboard/lib/usage.js';

// lib/settings.js reads what a browser kept; here it has kept what `kept` says.
const kept = { zone: 'utc' };
globalThis.document = { addEventListener() {}, documentElement: { dataset: {} }, hidden: true };
globalThis.addEventListener = () => {};
globalThis.localStorage = { getItem: () => JSON.stringify(kept), setItem() {} };
const { ago, count: number, DASH, dollars, duration, percent, plural } = await import('../../../gateway/dashboard/lib/format.js');
const { dateTime, timeOfDay, until } = await import('../../../gateway/dashboard/lib/clock.js');
const { listen, touch } = await import('../../../gateway/dashboard/lib/ui.js');

const NOW = Date.parse('2026-03-01T12:00:00Z');
const worker = (name, more = {}) => ({ worker_id: `id-${name}`, name, region: 'us-east-1', instance_type: 'm5.metal', aws_instance_id: `i-0${name}`, status: 'running', service_status: 'available',
  cpu_utilization: null, memory_utilization: null, storage_utilization: null, cml_labs_count: null, aws_tags: {}, ec2_freshness: 'fresh', cloudwatch_freshness: 'fresh', cml_freshness: 'fresh', ...more });
const fits = (w, query, alerted = new Set()) => matches(w, filterOf(new URLSearchParams(query)), { now: NOW, alerted });
const names = list => list.map(w => w.name);
const fleetOf = (...list) => new Map(list.map(w => [w.worker_id, w]));
const look = (listing, fleet, query = {}, { now = NOW, alerted = new Set() } = {}) => listing.look(fleet, filterOf(new URLSearchParams(query)), { now, alerted });

test('words are found anywhere, in any case, and all must be', () => {
  const w = worker('Alpha', { region: 'eu-west-1', aws_tags: { Team: 'Red Cell' }, public_ip: '192.0.2.7' });
  for (const q of ['alp', 'EU-WEST', 'alpha running', '192.0.2', 'region:eu', 'tag:team', 'tag:team=red', 'status:run i-0alpha']) assert.ok(fits(w, { q }), q);
  for (const q of ['beta', 'alpha beta', 'region:us', 'tag:owner', 'tag:team=blue', 'name:i-0']) assert.ok(!fits(w, { q }), q);
});

test('a filter by region, status, tag or counter leaves the others out', () => {
  const w = worker('a', { status: 'stopped', aws_tags: { env: 'lab' } });
  assert.ok(fits(w, { region: 'us-east-1', status: 'stopped', tag: 'env=lab', group: 'stopped' }));
  for (const query of [{ region: 'eu-west-1' }, { status: 'running' }, { tag: 'env=prod' }, { group: 'running' }]) assert.ok(!fits(w, query), JSON.stringify(query));
  assert.ok(fits(w, { group: 'what nobody knows' }), 'an address from another version shows all');
});

test('an idle worker is one that runs without labs and without anybody for an hour; what nobody knows is not idle', () => {
  const used = ms => ({ cml_labs_count: 0, last_activity_at: new Date(NOW - ms).toISOString() });
  assert.ok(fits(worker('a', used(3_600_000)), { group: 'idle' }));
  assert.ok(!fits(worker('a', used(3_599_000)), { group: 'idle' }));
  assert.ok(!fits(worker('a', { ...used(7_200_000), cml_labs_count: 1 }), { group: 'idle' }));
  assert.equal(idleSince(worker('a', { ...used(7_200_000), status: 'stopped' })), null);
  assert.equal(idleSince(worker('a', { cml_labs_count: null, last_activity_at: '2026-01-01T00:00:00Z' })), null);
});

test('a worker wants attention when it failed, its CML is away, its check is impaired, or an alert holds', () => {
  const none = new Set();
  assert.ok(!needsAttention(worker('a'), none));
  assert.ok(needsAttention(worker('a', { status: 'failed' }), none));
  assert.ok(needsAttention(worker('a', { service_status: 'unavailable' }), none));
  assert.ok(needsAttention(worker('a', { ec2_system_status_check: 'impaired' }), none));
  assert.ok(needsAttention(worker('a'), new Set(['id-a'])));
  assert.ok(!needsAttention(worker('a', { status: 'stopped', service_status: 'unavailable' }), none), 'a stopped one has no CML to answer');
});

test('counters count each worker where it belongs, and what the idle ones cost an hour', () => {
  const idle = { cml_labs_count: 0, last_activity_at: '2026-03-01T08:00:00Z', hourly_cost: 1.25 };
  const fleet = fleetOf(worker('a', idle), worker('b', idle), worker('c', { status: 'stopped', hourly_cost: 9 }), worker('d', { cml_freshness: 'stale' }));
  assert.deepEqual(look(new Listing(), fleet).counts, { all: 4, cost: 2.5, running: 3, attention: 0, stale: 1, stopped: 1, idle: 2 });
});

test('what nobody knows stands last, whichever way one sorts; ties are by name', () => {
  const list = [worker('c'), worker('b', { cpu_utilization: 10 }), worker('A', { cpu_utilization: 10 }), worker('d', { cpu_utilization: 90 })], listing = new Listing();
  const order = sort => names(look(listing, fleetOf(...list), { sort }).list);
  assert.deepEqual(order('cpu'), ['A', 'b', 'd', 'c']);
  assert.deepEqual(order('-cpu'), ['d', 'A', 'b', 'c']);
  assert.deepEqual(order('no such column'), ['A', 'b', 'c', 'd']);
});

test('a list that is kept up is the list that is made anew, whatever changes, comes and goes', () => {
  let seed = 7;
  const random = n => (seed = seed * 16807 % 2147483647) % n, pick = (...of) => of[random(of.length)];
  const kept = new Listing(), fleet = new Map();
  const made = () => worker(`w${random(30)}`, { cpu_utilization: pick(null, 1, 50, 99), region: pick('eu-west-1', 'us-east-1'), status: pick('running', 'stopped', 'failed'),
    cml_freshness: pick('fresh', 'stale'), cml_labs_count: pick(0, 1), last_activity_at: new Date(NOW - random(120) * 60_000).toISOString(), hourly_cost: pick(null, 2) });
  let query = {}, context = {};
  for (let turn = 0; turn < 2000; turn++) {
    for (let n = random(4); n; n--) { const w = made(); fleet.set(w.worker_id, w); }
    if (random(5) === 0) fleet.delete(`id-w${random(30)}`);
    if (random(20) === 0) query = { sort: pick('name', '-cpu', 'status', 'idle'), region: pick('', 'eu-west-1'), group: pick('', 'stale', 'attention') };
    if (random(20) === 0) context = { now: NOW + random(3) * 60_000, alerted: new Set(pick([], ['id-w1'], ['id-w2', 'id-w3'])) };
    const { list, counts, regions, statuses } = look(kept, fleet, query, context);
    const anew = look(new Listing(), fleet, query, context);
    assert.deepEqual({ list, counts, regions, statuses }, { list: anew.list, counts: anew.counts, regions: anew.regions, statuses: anew.statuses });
  }
});

test('of what has not changed nothing is looked at again', () => {
  let looks = 0;
  const watched = { ...worker('a'), get cml_freshness() { looks++; return 'fresh'; } }, listing = new Listing(), fleet = fleetOf(watched, worker('b'));
  const before = look(listing, fleet).list, first = looks;
  assert.equal(look(listing, fleet).list, before, 'the list is the same, too');
  fleet.set('id-b', worker('b', { cpu_utilization: 3 }));
  assert.equal(look(listing, fleet).list[1].cpu_utilization, 3);
  assert.ok(first > 0 && looks === first);
});

test('a held order keeps its places: who left goes, who is new stands at the end', () => {
  assert.deepEqual(names(hold(['id-b', 'id-a', 'id-x'], [worker('a'), worker('b'), worker('c')])), ['b', 'a', 'c']);
});

test('CSV is quoted, has nothing for what nobody knows, and no cell is a formula', () => {
  const [head, row, end] = csv([worker('=cmd|x', { region: 'a,"b"\n', cpu_utilization: -1.5, memory_utilization: 0 })]).split(/\r\n/);
  assert.match(head, /^worker_id,name,region,/);
  assert.match(row, /^id-=cmd\|x,'=cmd\|x,"a,""b""\n",/);
  assert.match(row, /,-1.5,0,,/, 'a negative number is a number, zero is no blank, null is');
  assert.equal(end, '');
});

test('curl asks for what REST can filter by, safely quoted', () => {
  const of = query => curl('http://gateway', filterOf(new URLSearchParams(query)));
  assert.equal(of({}), "curl -s 'http://gateway/api/workers'");
  assert.equal(of({ region: "eu'; rm", group: 'running' }), "curl -s 'http://gateway/api/workers?region=eu%27%3B+rm&status=running'");
});

test('durations, ages and amounts are as people read them, and unknown is a dash', () => {
  assert.deepEqual([0, 41, 60, 3599, 3600, 12000, 86400, 180000].map(duration), ['0 s', '41 s', '1 min', '59 min', '1 h', '3 h 20 min', '1 d', '2 d 2 h']);
  assert.deepEqual([duration(null), duration(NaN), percent(null), dollars(undefined), number(null), ago(null, NOW), until(null, NOW), timeOfDay(null)], Array(8).fill(DASH));
  assert.deepEqual([percent(0), percent(9.96), percent(42.4), dollars(0.5), dollars(1234.5)], ['0.0 %', '10.0 %', '42 %', '$0.50', '$1,235']);
  assert.equal(ago('2026-03-01T11:59:00Z', NOW), '1 min ago');
  assert.equal(ago('2026-03-01T12:00:05Z', NOW), '0 s ago', 'a clock that is ahead makes no future');
  assert.deepEqual([until('2026-03-01T12:05:00Z', NOW), until('2026-03-01T11:00:00Z', NOW)], ['in 5 min', 'now']);
  assert.deepEqual([plural(1, 'worker'), plural(2, 'worker'), plural(0, 'entry', 'entries')], ['1 worker', '2 workers', '0 entries']);
  assert.equal(timeOfDay('2026-03-01T23:05:09Z'), '23:05:09');
  assert.match(dateTime('2026-03-01T23:05:09Z'), /UTC$/);
});

test('a series has a hole where nothing was measured, judged by the interval of its time', () => {
  const at = minutes => new Date(NOW - minutes * 60_000).toISOString(), now = NOW / 1000;
  const of = (...minutes) => series({ samples: minutes.map(m => ({ at: at(m), value: m })), interval_seconds: 60, thinned_interval_seconds: 3600 }, now)[1];
  assert.deepEqual(of(3, 2, 1), [3, 2, 1]);
  assert.deepEqual(of(30, 10, 9), [30, null, 10, 9]);
  assert.deepEqual(of(3000, 2940), [3000, 2940], 'what is a day old is thinned');
  assert.deepEqual(series({ samples: [], interval_seconds: 60, thinned_interval_seconds: 60 }, now), [[], []]);
});

test('a chart goes from its first sample to now, and is as wide as asked where there is none', () => {
  assert.deepEqual(period([100, 200], 1, 5000), [100, 5000]);
  assert.deepEqual(period([], 1, 5000), [1400, 5000]);
  assert.deepEqual(period([4999], 1, 5000), [1400, 5000]);
});

const notice = (type, data = {}) => ({ type, data });
test('what is critical is said, and what one has asked for oneself; all or nothing on request', () => {
  const mine = new Set(['j1']);
  assert.deepEqual([notice('worker.created'), notice('worker.disconnected'), notice('alert.raised', { severity: 'warning' }), notice('alert.raised', { severity: 'critical' }),
    notice('job.completed', { job_id: 'j1' }), notice('job.completed', { job_id: 'j2' }), notice('job.failed', { job_id: 'j2' }), notice('heartbeat')].map(e => wanted(e, 'critical', mine)),
  [false, true, false, true, true, false, true, false]);
  assert.ok(wanted(notice('worker.created'), 'all', mine) && !wanted(notice('worker.disconnected'), 'none', mine));
});

test('notices of a kind are one with a count; the oldest makes room for a fourth', () => {
  let shown = [];
  for (const type of ['worker.created', 'worker.created', 'worker.paused', 'worker.resumed', 'job.failed']) shown = merge(shown, notice(type), type, NOW);
  assert.deepEqual(shown.map(each => [each.type, each.count]), [['worker.paused', 1], ['worker.resumed', 1], ['job.failed', 1]]);
  shown = merge(shown, notice('worker.paused', { worker_id: 'w' }), 'again', NOW + 1000);
  assert.deepEqual([shown.length, shown[0].count, shown[0].text, shown[0].worker], [3, 2, 'again', 'w']);
  assert.ok(shown[0].until > shown[1].until, 'what is said again stays');
  assert.equal(flood(60, NOW).length, 1);
});

test('metrics are read with their labels and help; buckets are left out', () => {
  const found = parseMetrics(`# HELP a_total What a counts
# TYPE a_total counter
a_total{kind="x y",le="1"} 3
# HELP b_seconds How long b took
b_seconds_bucket{le="1"} 9
b_seconds_sum 1.5e-3
b_seconds_count 2
nonsense
`);
  assert.deepEqual(found, [{ name: 'a_total', labels: '{kind="x y",le="1"}', value: 3, help: 'What a counts' },
    { name: 'b_seconds_sum', labels: '', value: 0.0015, help: 'How long b took' }, { name: 'b_seconds_count', labels: '', value: 2, help: 'How long b took' }]);
});

test('what collectors use is summed, judged by its budget, and has a pace only when there is one', () => {
  const collector = (more = {}) => ({ calls: 60, failed: 1, throttled: 2, billed: 5, lost: 3, rounds_overdue: 0, cost_usd_month: null, budget_usd: null, interval_stretch: 1, ...more });
  assert.deepEqual(sumOf([collector(), collector({ cost_usd_month: 8 }), collector({ cost_usd_month: 4, interval_stretch: 1.5 })]),
    { calls: 180, failed: 3, throttled: 6, billed: 15, lost: 9, overdue: 0, cost: 12, stretched: 1 });
  assert.equal(sumOf([collector()]).cost, null, 'what nobody knows is not free');
  assert.deepEqual([null, { budget_usd: null }, { budget_usd: 100 }, { budget_usd: 12 }, { budget_usd: 5, interval_stretch: 2 }].map(more => budgetOf(collector(more && { cost_usd_month: 10, ...more }))?.[0]),
    [undefined, 'none', 'within', 'near', 'beyond']);
  assert.match(budgetOf(collector({ cost_usd_month: 10, budget_usd: 5, interval_stretch: 2 }))[1], /2\.00 times as long/);
  const since = '2026-03-01T11:30:00Z';
  assert.deepEqual([callsAnHour({ calls: 60, since }, NOW), callsAnHour({ calls: 60, since }, Date.parse(since) + 1000), callsAnHour({ calls: 60, since: null }, NOW)], [120, null, null]);
});

test('a frame is asked for only by what somebody paints at once; who only sets a clock hears without one', () => {
  const frames = [], heard = [];
  globalThis.requestAnimationFrame = paint => frames.push(paint);
  document.hidden = false;
  const offs = [listen('row', () => heard.push('row')), listen('fleet', () => heard.push('fleet'), true)];
  touch('row of nobody');
  touch('fleet', 'row of nobody');
  assert.deepEqual([frames.length, heard], [0, ['fleet']]);
  touch('row', 'fleet');
  touch('row');
  assert.deepEqual([frames.length, heard], [1, ['fleet', 'fleet']]);
  frames.pop()();
  assert.deepEqual(heard, ['fleet', 'fleet', 'row']);

  document.hidden = true;
  touch('row', 'fleet');
  assert.deepEqual([frames.length, heard.length], [0, 3], 'a hidden tab does nothing');
  document.hidden = false;
  touch();
  assert.deepEqual([frames.length, heard.at(-1)], [1, 'fleet'], 'and has all of it when it is seen');
  offs.forEach(off => off());
});
