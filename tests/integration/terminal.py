"""terminal - a program in a pseudo-terminal, and what a person would see there, by pyte's emulation.
SPDX-License-Identifier: MIT"""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios

import pyte

from harness import wait_until


class Screen(pyte.Screen):
    """With the two sequences (ECMA-48's SU and SD) that ncurses scrolls by and pyte 0.8 passes over."""

    def scroll_up(self, count=1):
        x, y, top = self.cursor.x, self.cursor.y, self.margins.top if self.margins else 0
        self.cursor.y = top
        self.delete_lines(count)
        self.cursor.x, self.cursor.y = x, y

    def scroll_down(self, count=1):
        x, y, top = self.cursor.x, self.cursor.y, self.margins.top if self.margins else 0
        self.cursor.y = top
        self.insert_lines(count)
        self.cursor.x, self.cursor.y = x, y


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Terminal:
    def __init__(self, command, rows=24, columns=80, environment=None):
        self.screen = Screen(columns, rows)
        self.stream = Stream(self.screen)
        self.master, slave = pty.openpty()
        self.bytes = b""
        self._size(rows, columns)
        self.modes = termios.tcgetattr(slave)
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("CMLWATCH_")},
                       "TERM": "screen-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(environment or {})}
        self.process = subprocess.Popen([str(word) for word in command], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave  # held open: its modes are asked for after the program's end

    def _size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self._size(rows, columns)
        os.kill(self.process.pid, signal.SIGWINCH)

    def press(self, keys):
        os.write(self.master, keys if isinstance(keys, bytes) else keys.encode())

    def look(self):
        """The lines as they are now."""
        while select.select([self.master], [], [], 0)[0]:
            data = os.read(self.master, 65536)
            self.bytes += data
            self.stream.feed(data)
        return [line.rstrip() for line in self.screen.display]

    def wait(self, condition, what):
        """Looks until condition(lines) is true, and returns the lines."""
        seen = []

        def looked():
            seen[:] = self.look()
            assert self.process.poll() is None or condition(seen), f"{what}: it ended:\n" + "\n".join(seen)
            return condition(seen)
        try:
            wait_until(looked, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(seen)) from None
        return list(seen)

    def is_restored(self):
        """The modes that it found, the first screen, a cursor that shows."""
        self.look()
        return termios.tcgetattr(self.slave)[:4] == self.modes[:4] and self.bytes.rfind(b"\x1b[?1049l") > self.bytes.rfind(b"\x1b[?1049h") \
            and self.screen.cursor.hidden is False

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
