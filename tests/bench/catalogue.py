"""catalogue.py - every row of `make bench`: its name, the part of the program that measures it, what it is, the measures
told, and who is compared with whom. BENCH= takes names of rows and of parts. SPDX-License-Identifier: MIT"""
from rows import Row
from sizes import CLIENTS, WORKERS

LATENCY = "p50_ms p99_ms p999_ms cpu_us"
PEERS = "gateway/bare gateway/nchan"
LIVE_OF_5_PERCENT = f"{CLIENTS - CLIENTS // 20:,} clients, 10/s, {CLIENTS // 20:,} that stopped beside them"


def all_rows():
    return [
        Row("closed_1", "fanout", f"{CLIENTS:,} clients, 1 event in flight", "per_second cpu_us", PEERS),
        Row("closed_8", "fanout", f"{CLIENTS:,} clients, 8 in flight", "per_second cpu_us", PEERS),
        Row("closed_64", "fanout", f"{CLIENTS:,} clients, 64 in flight", "per_second cpu_us", PEERS),
        Row("open_5", "fanout", f"{CLIENTS:,} clients, 5 events a second", LATENCY, PEERS),
        Row("open_20", "fanout", f"{CLIENTS:,} clients, 20 events a second", LATENCY, PEERS),
        Row("open_500", "fanout", f"{CLIENTS:,} clients, 500 events a second", LATENCY + " missing", "gateway/bare"),
        Row("memory_1000", "memory", "1,000 idle clients", "kib_each", PEERS),
        Row("memory_5000", "memory", "5,000 idle clients", "kib_each", PEERS),
        Row("memory_10000", "memory", "10,000 idle clients", "kib_each", PEERS),
        Row("stopped_5_percent", "stopped", LIVE_OF_5_PERCENT, LATENCY, "gateway/without gateway/bare"),
        Row("stopped_200", "stopped", "500 clients, 100/s, 200 that stopped beside them", LATENCY, "gateway/without gateway/bare"),
        Row("gzip", "gzip", "1,000 clients, 50/s, compressed", "bytes_each cpu_us", "gateway/plain"),
        Row("stream", "polling", "a fleet of 24: its stream, or its state asked for each 2 s", "bytes_second",
            "gateway/polling changes/polling packed/gateway"),
        Row("way_1", "way", "collector publishes → byte at the client, 1 client", "p50_ms p99_ms missing", "chain/bare"),
        Row("way_1000", "way", "the same, 1,000 clients, 20/s", "p50_ms p99_ms missing", "chain/bare chain/nchan"),
        Row("bus_1", "bus", "observation → feed, one at a time", "p50_ms p99_ms per_second", "aggregator/raw"),
        Row("bus_1000", "bus", "observation → feed, 1,000 on their way", "per_second cpu_us missing", "aggregator/raw"),
        Row("alerts", "bus", "the same with the built-in alert rules, without any, and with 40 more", "cpu_us per_second",
            "aggregator/no_rules rules_40/no_rules"),
        Row("open_jobs", "bus", "the same beside 1,000 jobs that say their progress each second", "per_second", "jobs_1000/aggregator"),
        Row("aggregate", "aggregate", "observations applied, stored and published, by the processor's time", "observations", "whole/told decoded domain"),
        Row("ingest", "ingest", "the same through the real process on one core, with all its threads", "per_second core_second", "aggregator/raw"),
        Row("store", "store", "a commit of 256 events", "us per_second", "process/power"),
        Row("publish", "publish", "observation → feed, what its durability costs", "p50_ms p99_ms", "power/process"),
        Row("keys", "keys", "observation → a client, with keys on the bus and without", "p50_ms p99_ms per_second cpu_us", "keys/open"),
        Row("fleet_memory", "fleet", f"{WORKERS:,} workers: the aggregator as it grew, and after a restart", "mb store_mb", "aggregator restarted"),
        Row("fleet_state", "fleet", f"{WORKERS:,} workers: the full state to a new client", "state_ms", "gateway/polling"),
        Row("fleet_restart", "fleet", f"{WORKERS:,} workers: an aggregator's start until it is ready", "ready_ms", "aggregator"),
        Row("idle_ec2", "idle", "an idle collector of EC2", "mb cpu_percent", "collector"),
        Row("idle_cloudwatch", "idle", "an idle collector of CloudWatch", "mb cpu_percent", "collector"),
        Row("idle_cml", "idle", "an idle collector of CML", "mb cpu_percent", "collector"),
        Row("calls_ec2", "calls", "AWS calls for 1,000 workers, one round: EC2", "calls", "collector/one_by_one"),
        Row("calls_cloudwatch", "calls", "AWS calls for 1,000 workers, one round: CloudWatch", "calls", "collector/one_by_one"),
        Row("calls_mixed", "calls", "the same, a third of them with detailed monitoring: CloudWatch", "calls", "collector/one_by_one"),
        Row("push", "push", "what a CML pushes → a client", "p50_ms p99_ms", "stream"),
        Row("monitor_10", "monitor", "100 jobs, progress each 10 s: the stream, or the state each 2 s", "bytes_second",
            "stream/polling stream_gzip/polling status/polling"),
        Row("monitor_1", "monitor", "the same, progress each second", "bytes_second", "stream/polling stream_gzip/polling status/polling"),
        Row("jobs", "jobs", "whole lives of jobs, 1,000 at once and 100 at once", "jobs job_cpu_us", "many/few"),
        Row("jobs_beside", "jobs", "a job asked for → client, beside 1,000 open ones and beside 100", "p50_ms p99_ms", "many/few"),
        Row("job_monitor", "job_monitor", "a job by HTTP → a monitor, beside 1,000 that run and 100", "p50_ms p99_ms whole", "many/few")]


class Table:
    """The rows that are wanted; all of them when nothing is named."""

    def __init__(self, words=(), rows=None):
        self.rows = all_rows() if rows is None else rows
        unknown = set(words) - {row.name for row in self.rows} - {row.part for row in self.rows}
        if unknown:
            raise SystemExit(f"bench: no row or part '{sorted(unknown)[0]}'; there are: {' '.join(row.name for row in self.rows)}")
        if words:
            self.rows = [row for row in self.rows if row.name in words or row.part in words]

    def parts(self):
        return list(dict.fromkeys(row.part for row in self.rows))

    def wants(self, name):
        return any(row.name == name for row in self.rows)

    def __getitem__(self, name):
        return next(row for row in self.rows if row.name == name)

    def get(self, name):
        """One that nobody wanted is measured into nothing."""
        return self[name] if self.wants(name) else Row(name, "", "", "", "nobody")
