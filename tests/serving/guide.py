"""Runs the Python of the guide's page on serving, block by block, and compares the lists with those of `recommend`.

    guide.py serving.md LISTS.csv [LIBRARY]

The blocks share their variables, as in a session. LISTS has the ten best items of each user, items of the history
included. With LIBRARY, only blocks that import it run, and those that import none of the others.
"""

import csv
import re
import sys

import numpy

LIBRARIES = {"faiss", "hnswlib", "usearch", "onnxruntime"}
page, lists, *only = sys.argv[1:]
with open("items.ids.csv") as file:
    items_of = [row["item"] for row in csv.DictReader(file)]
with open("users.ids.csv") as file:
    users_of = [row["user"] for row in csv.DictReader(file)]
expected = {user: {} for user in users_of}
with open(lists) as file:
    for row in csv.DictReader(file):
        expected[row["user"]][row["item"]] = float(row["score"])


def check(rows, scores):
    """The same items; two whose scores differ by rounding alone may change places, also at the end of a list."""
    assert rows.shape == (len(users_of), 10), rows.shape
    for user, found, products in zip(users_of, rows, scores):
        wanted = expected[user]
        for item in {items_of[at] for at in found} ^ set(wanted):
            at = items_of.index(item)
            assert abs(products[at] - min(wanted.values())) < 1e-4, (user, item, wanted)


session = {}
with open(page) as file:
    blocks = re.findall(r"```python\n(.*?)```", file.read(), re.S)
ran = 0
for block in blocks:
    used = {name for name in LIBRARIES if re.search(rf"\b{name}\b", block)}
    if only and used - set(only):
        continue
    for name in ("rows", "exact"):
        session.pop(name, None)
    exec(block, session)
    scores = session["users"] @ session["items"].T
    if "exact" in session:
        check(session["exact"], scores)
    if "rows" in session:
        same = [len(set(a) & set(numpy.argsort(-b)[:10])) for a, b in zip(session["rows"], scores)]
        assert numpy.mean(same) > 9, f"the approximate lists agree in {numpy.mean(same)} of 10 items"
    ran += bool(used)
assert ran, "no block ran"
print(f"{ran} blocks agree")
