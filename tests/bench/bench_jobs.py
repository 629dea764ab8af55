"""bench_jobs.py - from asking for a job to what a stream has of it, and how many jobs a second.

    bench_jobs.py FOLDER [COUNT…]

FOLDER holds the programs: an aggregator with a store, a gateway, one client of its stream (a process of
its own). For each COUNT (100, 1000): `burst`, so many jobs asked for at once over one connection;
`beside`, one at a time while they are all open; then `whole_lives_per_second`, from the first question
to the last job.completed at the client, with four runners of 50 jobs each in one Python process, which
is what bounds it, and `aggregator_us_each`, its processor time for each. The time ends when the client's recv has returned. Prints one line of JSON and keeps it
in FOLDER/jobs.json.
SPDX-License-Identifier: MIT"""
import json
import multiprocessing
import os
import pathlib
import re
import sys
import tempfile
import time

FOLDER = pathlib.Path(sys.argv[1]).resolve()
COUNTS = [int(count) for count in sys.argv[2:]] or [100, 1000]
BESIDE, RUNNERS, CONCURRENCY = 200, 4, 50

os.environ.setdefault("CMLWATCH_BUILD", str(FOLDER))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

EVENT = re.compile(rb'event: (job\.submitted|job\.completed)\ndata: [^\n]*?"job_id":"([0-9a-f-]{36})"')


def read(port, pipe):
    """The client: when each job was first heard of, and when it was over; sent when it is asked."""
    import harness
    stream = harness.Stream(port, "?topics=jobs&state=0&event_types=job.submitted,job.completed")
    seen, pending = {"job.submitted": {}, "job.completed": {}}, stream.pending
    stream.socket.settimeout(0.05)
    pipe.send("ready")
    while True:
        try:
            chunk = stream.socket.recv(1 << 20)
        except TimeoutError:
            chunk = b""
        now = time.monotonic_ns()
        pending += chunk
        whole, _, pending = pending.rpartition(b"\n\n")
        for kind, identity in EVENT.findall(whole + b"\n"):
            seen[kind.decode()].setdefault(identity.decode(), now)
        if pipe.poll():
            if pipe.recv() == "end":
                return
            pipe.send(seen)


def processor_us(pid):
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1000


def percentiles(times):
    times = sorted(times)
    return {"p50": round(times[len(times) // 2], 3), "p99": round(times[min(len(times) - 1, len(times) * 99 // 100)], 3),
            "most": round(times[-1], 3)}


class Bench:
    def __init__(self, bus, pipe, pid):
        from runner import Control, Runner
        self.pid = pid
        self.control, self.pipe = Control(bus), pipe
        self.runners = [Runner(bus, f"/runner/{n}", "bench", concurrency=CONCURRENCY) for n in range(RUNNERS)]

    def heard(self, kind, identities):
        """When the client heard of each, once it has of all."""
        while True:
            self.pipe.send("seen")
            seen = self.pipe.recv()[kind]
            if all(identity in seen for identity in identities):
                return [seen[identity] for identity in identities]

    def submit(self, count):
        """(id, when it was asked for) of so many, all on their way at once."""
        sent, jobs = {}, []
        for _ in range(count):
            at = time.monotonic_ns()
            sent[self.control.send("submit", job_type="bench", by="bench")] = at
        while sent:
            frames = self.control.socket.recv_multipart()
            jobs.append((json.loads(frames[4])["id"], sent.pop(int(frames[2]))))
        return jobs

    def delays(self, jobs):
        heard = self.heard("job.submitted", [identity for identity, _ in jobs])
        return [(then - at) / 1e6 for then, (_, at) in zip(heard, jobs)]

    def beside(self):
        jobs = []
        for _ in range(BESIDE):
            jobs += self.submit(1)
        return self.delays(jobs), jobs

    def run(self, left):
        while left > 0:
            for one in self.runners:
                one.poll()
                done = [{"job_id": j["job_id"], "attempt": j["attempt"], "event": "completed"} for j in one.running.values()]
                if done:
                    one.ask("report", runner_id=one.id, reports=done)
                    one.running.clear()
                    left -= len(done)

    def lives(self, count):
        started = time.monotonic_ns()
        jobs = self.submit(count)
        self.run(count)
        return count / ((max(self.heard("job.completed", [identity for identity, _ in jobs])) - started) / 1e9)

    def measure(self, count):
        jobs = self.submit(count)
        burst = self.delays(jobs)
        beside, more = self.beside()
        self.run(count + len(more))
        before = processor_us(self.pid)
        rate = self.lives(count)
        return {"burst_ms": percentiles(burst), "beside_ms": percentiles(beside), "whole_lives_per_second": round(rate),
                "aggregator_us_each": round((processor_us(self.pid) - before) / count, 1)}


def main():
    import harness
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        bus = harness.Bus()
        aggregator = harness.Aggregator(folder, bus, "--store", f"{folder}/store")
        gateway = harness.Gateway(folder, bus)
        pipe, other = multiprocessing.Pipe()
        client = multiprocessing.get_context("spawn").Process(target=read, args=(gateway.port, other))
        client.start()
        assert pipe.recv() == "ready"
        bench = Bench(bus, pipe, aggregator.process.pid)
        bench.lives(50)  # warm
        result = {str(count): bench.measure(count) for count in COUNTS}
        pipe.send("end")
        client.join()
        gateway.stop(), aggregator.stop()
    text = json.dumps({"jobs": result}, separators=(",", ":"))
    (FOLDER / "jobs.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
