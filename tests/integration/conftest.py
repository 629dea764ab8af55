"""Fixtures: each test gets its own processes and folder, and they must end well.
SPDX-License-Identifier: MIT"""
import pytest

import harness


@pytest.fixture
def start(tmp_path):
    """start(Class, ...) makes a program of harness and stops it at the end; code 0 is expected
    unless the test has ended it itself."""
    programs = []

    def starter(kind, *arguments, **more):
        program = kind(tmp_path, *arguments, **more)
        programs.append(program)
        return program

    yield starter
    faults = []
    for program in reversed(programs):
        try:
            if isinstance(program, harness.Stack):
                program.stop()
            elif program.alive():
                code = program.stop()
                if code != 0:
                    faults.append(f"{program.name} ended with {code}:\n{program.log[-3000:]}")
        except AssertionError as fault:  # the others are ended all the same
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def sim(start):
    return start(harness.Simulator)


@pytest.fixture
def bus():
    return harness.Bus()


@pytest.fixture
def stack(start):
    return start(harness.Stack)


@pytest.fixture(autouse=True)
def logs_when_failed(request, tmp_path):
    yield
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        for path in sorted(tmp_path.glob("*.log")):
            print(f"--- {path.name}\n{path.read_text(errors='replace')[-2500:]}")


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.report_call = outcome.get_result()
