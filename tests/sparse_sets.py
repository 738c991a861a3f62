#!/usr/bin/env python3
"""Writes the sparse sets of BENCHMARKS.md, "Out of the box", as csv files: samples of MovieLens-10M and Gowalla.

    tests/sparse_sets.py DATA FOLDER

DATA holds ml-10m-positive.csv.gz (ratings of 4 and more) and gowalla-10core.csv.gz, each with a header and the user and the
item in its first two columns. A k-core keeps the users and items that have k interactions within it.
"""

import collections
import gzip
import pathlib
import random
import sys


def read(path):
    with gzip.open(path, "rt") as file:
        next(file)
        return [tuple(line.rstrip("\n").split(",")[:2]) for line in file]


def chosen(pairs, column, count, seed):
    """The pairs of `count` of the users (column 0) or items (column 1)."""
    values = sorted({pair[column] for pair in pairs})
    some = set(random.Random(seed).sample(values, count))
    return [pair for pair in pairs if pair[column] in some]


def thinned(pairs, share, seed):
    generator = random.Random(seed)
    return [pair for pair in pairs if generator.random() < share]


def core(pairs, least):
    while True:
        users, items = (collections.Counter(pair[column] for pair in pairs) for column in (0, 1))
        left = [pair for pair in pairs if users[pair[0]] >= least and items[pair[1]] >= least]
        if len(left) == len(pairs):
            return left
        pairs = left


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, folder = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    films, places = read(data / "ml-10m-positive.csv.gz"), read(data / "gowalla-10core.csv.gz")
    sets = {
        "artists": chosen(films, 0, 2000, seed=3),
        "thin": thinned(chosen(films, 0, 40000, seed=4), 0.12, seed=4),
        "articles": chosen(places, 0, 7000, seed=1),
        "shop": chosen(chosen(places, 0, 29000, seed=2), 1, 15000, seed=5),
    }
    for name, pairs in sets.items():
        pairs = core(pairs, 5)
        users, items = (len({pair[column] for pair in pairs}) for column in (0, 1))
        print(f"{name}: {users} users x {items} items, {len(pairs)} interactions")
        with open(folder / f"{name}.csv", "w") as file:
            file.write("user,item\n")
            file.writelines(f"{user},{item}\n" for user, item in pairs)


if __name__ == "__main__":
    main()
