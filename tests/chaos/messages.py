"""messages - a link of ZeroMQ on which whole messages are lost, come twice or change places.

A proxy that knows where a message begins and ends (https://rfc.zeromq.org/spec/23: a greeting of 64 bytes, then frames:
a byte of flags, a length of 1 or 8 bytes, the rest). The greeting and commands pass as they are: what is hurt is what the
programs say to each other. Not on a bus with keys: there each frame is a box of its own, and whoever takes one out or
moves it breaks the connection, which `cut` does too.
SPDX-License-Identifier: MIT"""
import random

from proxy import Proxy

GREETING, MORE, LONG, COMMAND = 64, 1, 2, 4


class Messages:
    """Bytes as they come, cut into messages: (is it one of the programs', its bytes)."""

    def __init__(self):
        self.rest, self.message, self.greeting = bytearray(), [], GREETING

    def take(self, data):
        """Each byte is looked at once: a page of a thousand events, one message of two thousand frames, passes here as well."""
        if greeting := data[:self.greeting]:  # comes in pieces, each an answer to the other side's
            self.greeting -= len(greeting)
            yield False, greeting
        self.rest += data[len(greeting):]
        at = 0
        while size := self.frame(at):
            frame, at = bytes(self.rest[at:at + size]), at + size
            if frame[0] & COMMAND:
                yield False, frame
                continue
            self.message.append(frame)
            if not frame[0] & MORE:
                yield True, b"".join(self.message)
                self.message = []
        del self.rest[:at]

    def frame(self, at):
        """The size of the whole frame that begins there; 0 while it is not there."""
        left = len(self.rest) - at
        if left < 2:
            return 0
        head = 9 if self.rest[at] & LONG else 2
        if left < head:
            return 0
        size = head + int.from_bytes(self.rest[at + 1:at + head], "big")
        return size if left >= size else 0


class MessageProxy(Proxy):
    def __init__(self, endpoint):
        self.chance, self.lost, self.twice, self.late = None, 0.0, 0.0, 0.0
        super().__init__(endpoint)

    def hurt(self, seed, lost, twice, late):
        self.chance, self.lost, self.twice, self.late = random.Random(seed), lost, twice, late

    def mend(self):
        super().mend()
        self.chance = None

    def carry(self, source):
        messages, kept = Messages(), []  # those that others are to overtake

        def carried(data):
            out = []
            for is_said, message in messages.take(data):
                draw = self.chance.random() if is_said and self.chance else 1
                if draw < self.lost:
                    continue
                if draw < self.lost + self.late:
                    kept.append(message)
                    continue
                out += [message, message] if draw < self.lost + self.late + self.twice else [message]
                out += kept
                kept.clear()
            return b"".join(out)
        return carried
