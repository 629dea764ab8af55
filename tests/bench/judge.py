"""judge.py - what soak.py has seen, and whether it is a fault. Pure: tests/integration/test_bench.py tries it.

The time is cut into quarters. The first is for what fills up once (histories, caches, the log); the last is held against the second. A
figure that is higher then, but has stopped growing, has filled up as well: what grows without end grows in the last quarter too.

A stream is late when the oldest event that it lacks is old. That has four reasons, and three are no fault of the gateway:
  the reader    is one of those that never read, or the crowd was not at it: such a look does not count
  the machine   others had the processor while the gateway wanted it
  the load      the gateway worked all the time, and it was not enough: told, a fault only if it grows
  the gateway   had time, and somebody was late: a fault
SPDX-License-Identifier: MIT"""
import collections
import statistics

GROWTH, SLACK_KIB, DESCRIPTORS = 0.10, 6 * 1024, 16
STILL = 0.25      # of a growth, in its last third: it goes on
LATE_MS = 5000
LATE_MOST = 0.05  # of the readers
BUSY = 0.8        # of the time: it worked, or wanted to
STARVED = 0.5     # of the time it waited for a processor: nothing is said of how late anybody is
UNREAD_KIB = 100000 * 4  # high_water_mark, of messages of some 4 KB
LEAST = 12        # looks: of fewer nothing is said
ANSWER_SECONDS = 5  # of the gateway's own processor time
CROWD_TURN_MS = 1000
STANDING = 0.9    # of the looks: a queue that is never empty

#  processor, waited: seconds since the program's start that it had a processor, or waited for one.
Look = collections.namedtuple("Look", "at memory_kib descriptors processor waited")
#  Of one look at a gateway's streams: readers, how many of these were late, the crowd's longest turn; and since the look before, the
#  shares of the time in which the gateway had a processor, or waited for one.
Lateness = collections.namedtuple("Lateness", "readers late turn_ms ran waited")
#  To an answer, or until it was given up: seconds, and those in which the gateway had a processor.
Answer = collections.namedtuple("Answer", "came seconds processor")


def quarters(rows):
    return [rows[n * len(rows) // 4:(n + 1) * len(rows) // 4] for n in range(4)]


def grows(values, growth, slack, of=statistics.median):
    """(before, after) when there is true growth, or None."""
    _, second, third, last = (of(part) if part else 0 for part in quarters(values))
    more = last - second
    return (second, last) if more > second * growth + slack and last - third > STILL * more else None


def memory(name, looks):
    """A program that waits for a processor most of the time cannot read what is said to it: that waits in its memory, and has a bound."""
    unread = UNREAD_KIB if share(looks[len(looks) // 4:], "waited") > STARVED else 0
    found = grows([look.memory_kib for look in looks], GROWTH, SLACK_KIB + unread)
    return [f"{name}: memory grows, {found[0] / 1024:.1f} to {found[1] / 1024:.1f} MB"] if found else []


def descriptors(name, looks):
    """The most of each quarter: a collector whose work another one shares for a while has half of them meanwhile."""
    found = grows([look.descriptors for look in looks], 0, DESCRIPTORS, max) if len(looks) >= LEAST else None
    return [f"{name}: descriptors grow, {found[0]:.0f} to {found[1]:.0f}"] if found else []


def queue(name, values, most):
    """It may be used, and never stand: neither more than this in it at the end, nor never empty and growing."""
    if len(values) < LEAST:
        return []
    last = quarters(values)[3]
    if statistics.median(last) > most:
        return [f"{name} is {statistics.median(last):.0f}, at most {most}"]
    full = sum(value > 0 for value in last)
    return [f"{name} grows and is never empty"] if full > STANDING * len(last) and grows(values, 0.5, most / 10) else []


def lateness(rows):
    """Of looks in which the crowd was at it and the gateway could be."""
    sound = [row for row in rows if row.turn_ms <= CROWD_TURN_MS and row.readers and row.waited <= STARVED]
    idle = [row for row in sound if row.ran + row.waited < BUSY]
    faults = []
    if len(sound) < LEAST:
        return []
    late = [row.late / row.readers for row in idle]
    if late and statistics.median(late) > LATE_MOST:
        faults.append(f"{statistics.median(late):.0%} of those who read are late by {LATE_MS} ms while the gateway has time")
    found = grows([row.late for row in sound], 0, LATE_MOST * max((row.readers for row in sound), default=0))
    if found:
        faults.append(f"more and more of those who read are late: {found[0]:.0f} to {found[1]:.0f}")
    return faults


def answers(rows):
    """Whoever asks has an answer before the gateway has worked for long; how long it had to wait for its turn is the machine's business."""
    late = [row for row in rows if row.processor > ANSWER_SECONDS]
    return [f"{len(late)} of {len(rows)} answers took more than {ANSWER_SECONDS} s of the gateway's processor time, "
            f"the longest {max(row.processor for row in late):.1f} s"] if late else []


def notes(rows, asked):
    """What was not judged, and why."""
    starved, slow = sum(row.waited > STARVED for row in rows), sum(row.turn_ms > CROWD_TURN_MS for row in rows)
    sound = sum(row.waited <= STARVED and row.turn_ms <= CROWD_TURN_MS for row in rows)
    told = f"of {asked} questions {asked - len(rows)} had no answer in time; in {starved} looks the gateway waited for a processor, in {slow} the crowd was slow"
    return [f"lateness and queues are not judged: {told}"] if sound < LEAST else []


def starved(name, looks):
    waited = share(looks[len(looks) // 4:], "waited")
    return [f"{name} waited for a processor {waited:.0%} of the time: its memory may hold what it could not read"] if waited > STARVED else []


def share(looks, field):
    """Of the time between the first and the last look."""
    took = looks[-1].at - looks[0].at if len(looks) > 1 else 0
    return (getattr(looks[-1], field) - getattr(looks[0], field)) / took if took else 0.0
