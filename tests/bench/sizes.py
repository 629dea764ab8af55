"""sizes.py - how much is measured: as the environment says, and small with QUICK=1.

QUICK sees that all of it runs, in a fraction of the time; what it measures is held against nobody.
SPDX-License-Identifier: MIT"""
import os

QUICK = os.environ.get("QUICK", "") not in ("", "0")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 1 if QUICK else 5))
CLIENTS = int(os.environ.get("BENCH_CLIENTS", 300 if QUICK else 5000))
SECONDS = float(os.environ.get("BENCH_SECONDS", 0.2 if QUICK else 0.6))  # of one measured stretch
WORKERS = int(os.environ.get("BENCH_WORKERS", 500 if QUICK else 10000))
#  In all, of waiting for others to leave the machine alone, and of measuring again what they disturbed.
PATIENCE = float(os.environ.get("BENCH_PATIENCE", 0 if QUICK else 30))
AGAIN = int(os.environ.get("BENCH_AGAIN", 0 if QUICK else 3))  # times at most that what is in doubt is measured once more
FEW = min(ROUNDS, 3)           # rounds of what needs no more
NCHAN_ROUNDS = min(ROUNDS, 2)  # it takes seconds to end what was begun
