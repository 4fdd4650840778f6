#!/usr/bin/env python3
"""Times rapidyaml (PyPI `rapidyaml`) building its tree from a file: the peer of `yaml-benchmark FILE`.

The tree is made anew in each round, from a buffer that was copied before, as rapidyaml parses in place.
"""
import statistics
import sys
import time

import ryml


def main(path, rounds=200):
    data = open(path, "rb").read()
    times = []
    for _ in range(rounds):
        buffer = bytearray(data)
        start = time.perf_counter()
        ryml.parse_in_place(buffer)
        times.append(time.perf_counter() - start)
    times = sorted(times[rounds // 10:])
    median = statistics.median(times)
    print(f"rapidyaml, tree: best {times[0] * 1e6:.0f} µs  median {median * 1e6:.0f} µs  {len(data) / median / 1e6:.1f} MB/s")


if __name__ == "__main__":
    main(sys.argv[1])
