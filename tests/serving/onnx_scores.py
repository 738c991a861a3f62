"""Compares the scores of an ONNX graph with those that `fastvae recommend` lists.

    onnx_scores.py MODEL.onnx SET.csv LISTS.csv [VECTORS.npy]

SET has a row for each user and item, LISTS each user's items with scores, of all items. VECTORS are the item rows of
`fastvae export --items`, for the output `query`; of items outside of the histories, as ELSA's differ within.
"""

import csv
import sys

import numpy
import onnxruntime

model, interactions, lists, *vectors = sys.argv[1:]
with open(model.removesuffix(".onnx") + ".ids.csv") as file:
    ids = [row["item"] for row in csv.DictReader(file)]
number = {item: at for at, item in enumerate(ids)}

histories = {}
with open(interactions) as file:
    for row in csv.DictReader(file):
        histories.setdefault(row["user"], set()).add(number[row["item"]])
users = list(histories)
expected = numpy.full((len(users), len(ids)), numpy.nan, numpy.float32)
row_of = {user: at for at, user in enumerate(users)}
with open(lists) as file:
    for row in csv.DictReader(file):
        expected[row_of[row["user"]], number[row["item"]]] = row["score"]
assert not numpy.isnan(expected).any(), "the lists do not have every item of every user"

session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
batch = 64
for start in range(0, len(users), batch):
    chunk = users[start : start + batch]
    history = numpy.full((len(chunk), max(len(histories[user]) for user in chunk)), -1, numpy.int64)
    for at, user in enumerate(chunk):
        history[at, : len(histories[user])] = list(histories[user])
    outputs = dict(zip(names, session.run(None, {"history": history})))
    wanted = expected[start : start + len(chunk)]
    numpy.testing.assert_allclose(outputs["scores"], wanted, rtol=1e-4, atol=1e-5)
    if vectors:
        products = outputs["query"] @ numpy.load(vectors[0]).T
        outside = numpy.ones(wanted.shape, bool)
        for at, user in enumerate(chunk):
            outside[at, list(histories[user])] = False
        numpy.testing.assert_allclose(products[outside], wanted[outside], rtol=1e-4, atol=1e-5)

nothing = session.run(["scores"], {"history": numpy.full((1, 1), -1, numpy.int64)})[0]
assert numpy.isfinite(nothing).all(), "an empty history has scores that are not finite"
print(f"{len(users)} users x {len(ids)} items agree")
