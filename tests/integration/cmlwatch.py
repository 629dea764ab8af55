"""cmlwatch - the terminal program as a test runs it: to its end, or beside the test.
SPDX-License-Identifier: MIT"""
import os
import signal
import subprocess
import threading

import harness
from harness import wait_until

PROGRAM = harness.BUILD / "cmlwatch"


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CMLWATCH_")}
    return {**clean, "LC_ALL": "C.UTF-8", **more}


def run(*arguments, timeout=harness.PATIENCE, **more):
    """The ended process, with its texts."""
    return subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, env=environment(**more))


class Running:
    """One that goes on; its lines as they come."""

    def __init__(self, *arguments, **more):
        self.process = subprocess.Popen([str(PROGRAM), *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(**more))
        self.lines, self.said = [], []
        self.threads = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.said))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _read(stream, into):
        for line in stream:
            into.append(line.rstrip("\n"))

    def wait(self, condition, what):
        """condition(lines, said) is true."""
        def fulfilled():
            ended = self.process.poll() is not None and not any(thread.is_alive() for thread in self.threads)
            true = condition(self.lines, self.said)
            assert true or not ended, f"{what}: it ended with {self.process.returncode}"
            return true
        try:
            return wait_until(fulfilled, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- stdout\n" + "\n".join(self.lines[-20:]) +
                                 "\n--- stderr\n" + "\n".join(self.said[-20:])) from None

    def wait_said(self, text):
        self.wait(lambda _, said: any(text in line for line in said), f"'{text}' on stderr")

    def end(self, number=signal.SIGTERM):
        """The code of exit; all lines are there."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(harness.PATIENCE)
        for thread in self.threads:
            thread.join(harness.PATIENCE)
        return code
