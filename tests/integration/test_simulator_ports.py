"""The simulated CMLs at ports of one address, as other hosts and containers reach them.
SPDX-License-Identifier: MIT"""
import harness
from harness import metric, wait_until


def test_each_cml_is_found_by_the_port_that_its_tag_names(start, bus):
    ports = harness.free_port()  # and the one above it
    sim = start(harness.Simulator, "--cml-ports", ports, instances=2)
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus)
    start(harness.Collector, "ec2", bus, "--interval-ms", 500, environment=sim.environment())
    cml = start(harness.Collector, "cml", bus, "--address", "127.0.0.1:{tag:cml-port}", "--interval-ms", 1000, "--verify", "off",
                "--username", "cmlwatch", environment={"CMLWATCH_COLLECTOR_CML_PASSWORD": "cmlwatch-demo"})

    def read():
        workers = gateway.workers()
        return len(workers) == 2 and all(worker["cml_version"] for worker in workers) and workers
    workers = wait_until(read, "both are read")

    assert {worker["aws_tags"]["cml-port"] for worker in workers} == {str(ports), str(ports + 1)}
    assert len({str(worker["cml_system_info"]) for worker in workers}) == 2, "each answers for itself"
    sim.control(f"instances/{workers[0]['aws_instance_id']}", {"state": "stopped"})
    wait_until(lambda: gateway.worker(workers[0]["aws_instance_id"])["status"] in ("stopping", "stopped"), "it stops")
    assert metric(cml.url, "cmlwatch_cml_requests_total", outcome="ok") > 0
