"""Mult-VAE in PyTorch with full or sampled softmax: the peer that FastVAE is measured against.

Reads a `user,item` csv (or .csv.gz) with one header line and integer ids, applies the iterative k-core,
splits each user's items 80/20 at random (`weak`), trains, and prints one JSON object an epoch:

    {"epoch": 1, "steps": 185, "seconds": 5.5, "loss": 231.6, "kl": 12.3, "ndcg@50": 0.21, "recall@50": 0.36}

`seconds` is training alone (with the sampler's index), `loss` the mean of nll + beta * kl, recall hits / |test|.
The network: E (items x hidden) summed over the history / sqrt(n) with input dropout, tanh, hidden -> 2 latent,
latent -> hidden, item rows and biases. Sampled losses correct logits by -log q, one positive at a time.
"""

import argparse
import json
import sys
import time

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn as nn
import torch.nn.functional as F

LOSSES = ["full", "uniform", "popularity", "midx-uniform", "midx-popularity"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", help="user,item with a header line; .gz is read as it is")
    parser.add_argument("--core", type=int, default=10, help="iterative k-core of users and items")
    parser.add_argument("--loss", choices=LOSSES, default="full")
    parser.add_argument("--negatives", type=int, default=200, help="draws a user and step, for sampled losses")
    parser.add_argument("--codewords", type=int, default=16, help="of each of the two codebooks")
    parser.add_argument("--hidden", type=int, default=200)
    parser.add_argument("--latent", type=int, default=32)
    parser.add_argument("--dropout", type=float, default=0.5, help="of the input")
    parser.add_argument("--beta", type=float, default=0.2, help="final weight of the KL term")
    parser.add_argument("--anneal", type=int, default=5000, help="steps to reach beta")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--max-steps", type=int, help="stop after so many steps, to time them")
    parser.add_argument("--every", type=int, default=1, help="epochs between evaluations; 0: never")
    parser.add_argument("--eval-users", type=int, help="evaluate a random sample of the users (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    for name in ["core", "negatives", "codewords", "hidden", "latent", "batch", "epochs", "threads"]:
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if args.max_steps is not None and args.max_steps < 1:
        parser.error("--max-steps must be at least 1")
    if args.loss.startswith("midx") and args.hidden % 2:
        parser.error("two codebooks halve the item rows: --hidden must be even")
    return args


# ---------------------------------------------------------------- data


class Rows:
    """Compressed rows on the device: `take(users)` gives their items, row numbers and lengths."""

    def __init__(self, matrix, device):
        self.start = torch.from_numpy(matrix.indptr.astype(np.int64)).to(device)
        self.items = torch.from_numpy(matrix.indices.astype(np.int64)).to(device)

    def take(self, users):
        start = self.start[users]
        length = self.start[users + 1] - start
        row = torch.repeat_interleave(torch.arange(len(users), device=users.device), length)
        first = length.cumsum(0) - length  # of each user in the result
        return self.items[torch.arange(len(row), device=users.device) + (start - first)[row]], row, first, length


def load(path, core):
    """The users x items matrix of the k-core."""
    pairs = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.int64, usecols=(0, 1), ndmin=2)
    user, item = (np.unique(column, return_inverse=True)[1] for column in pairs.T)
    matrix = sp.csr_matrix((np.ones(len(pairs), np.float32), (user, item)))
    matrix.sum_duplicates()
    while matrix.nnz:
        keep_users = matrix.getnnz(1) >= core
        keep_items = matrix.getnnz(0) >= core
        if keep_users.all() and keep_items.all():
            return matrix
        matrix = matrix[keep_users][:, keep_items]
    sys.exit(f"{path}: nothing is left of the {core}-core")


def split(matrix, rng):
    """A random `round(0.8 n)` of each user's items, and the rest."""
    user = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((rng.random(matrix.nnz), user))
    position = np.arange(matrix.nnz) - matrix.indptr[user]
    train = position < np.rint(0.8 * np.diff(matrix.indptr))[user]
    item = matrix.indices[order]
    part = lambda mask: sp.csr_matrix((np.ones(mask.sum(), np.float32), (user[mask], item[mask])), matrix.shape)
    return part(train), part(~train)


# ---------------------------------------------------------------- model


class MultVae(nn.Module):
    def __init__(self, items, hidden, latent, dropout):
        super().__init__()
        self.dropout = dropout
        self.encoder = nn.EmbeddingBag(items, hidden, mode="sum")
        self.encoder_bias = nn.Parameter(torch.zeros(hidden))
        self.posterior = nn.Linear(hidden, 2 * latent)
        self.decoder = nn.Linear(latent, hidden)
        self.output = nn.Linear(hidden, items)
        for rows in (self.encoder.weight, self.output.weight):
            nn.init.xavier_normal_(rows)

    def forward(self, items, row, first, length):
        """Queries (users x hidden), and the KL divergence of the posterior from N(0, 1), mean over users."""
        weight = F.dropout(length.float().rsqrt()[row], self.dropout, self.training)
        hidden = torch.tanh(self.encoder(items, first, per_sample_weights=weight) + self.encoder_bias)
        mean, log_variance = self.posterior(hidden).chunk(2, -1)
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        latent = mean
        if self.training:
            latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        return self.decoder(latent), kl


def full_nll(net, queries, items, row):
    return -F.log_softmax(net.output(queries), -1)[row, items].sum() / len(queries)


def sampled_nll(net, queries, items, row, sampler, negatives):
    with torch.no_grad():
        drawn, log_q = sampler.draw(queries, negatives)
        log_q_positive = sampler.log_q(queries, row, items)
    weight, bias = net.output.weight, net.output.bias
    scores = torch.bmm(F.embedding(drawn, weight), queries.unsqueeze(2)).squeeze(2)
    partition = (scores + bias[drawn] - log_q).logsumexp(1)
    positive = (F.embedding(items, weight) * queries[row]).sum(1) + bias[items] - log_q_positive
    return (torch.logaddexp(positive, partition[row]) - positive).sum() / len(queries)


# ---------------------------------------------------------------- proposals


class Static:
    """The same proposal for everyone, proportional to `weight`."""

    def __init__(self, weight):
        self.q = weight / weight.sum()

    def draw(self, queries, count):
        drawn = torch.multinomial(self.q, len(queries) * count, replacement=True).view(-1, count)
        return drawn, self.q[drawn].log()

    def log_q(self, queries, row, items):
        return self.q[items].log()


class Midx:
    """Inverted multi-index: item rows are quantised in two halves; a cell (k1, k2) is drawn by the scores of
    its codewords and the weight of its items, then an item of the cell by weight. `log_q` leaves out the
    user's normaliser, which cancels in the sampled softmax."""

    def __init__(self, rows, weight, codewords):
        halves = rows.chunk(2, 1)
        (self.book1, self.code1), (self.book2, self.code2) = (kmeans(half, codewords) for half in halves)
        cell = self.code1 * len(self.book2) + self.code2
        cells = len(self.book1) * len(self.book2)
        self.log_weight = weight.log()
        self.order = torch.argsort(cell, stable=True)
        self.cumulative = weight[self.order].double().cumsum(0)
        end = torch.bincount(cell, minlength=cells).cumsum(0)
        start = torch.cat([end.new_zeros(1), end[:-1]])
        bounds = torch.cat([self.cumulative.new_zeros(1), self.cumulative])
        self.lower, self.upper, self.last = bounds[start], bounds[end], end - 1
        self.log_cell_weight = torch.zeros(cells, device=rows.device).index_add_(0, cell, weight).log()

    def scores(self, queries):
        half1, half2 = queries.chunk(2, 1)
        return half1 @ self.book1.T, half2 @ self.book2.T

    def draw(self, queries, count):
        score1, score2 = self.scores(queries)
        joint = (score1.unsqueeze(2) + score2.unsqueeze(1)).flatten(1) + self.log_cell_weight
        cell = torch.multinomial(joint.softmax(1), count, replacement=True)
        lower, upper = self.lower[cell], self.upper[cell]
        at = torch.searchsorted(self.cumulative, lower + (upper - lower) * torch.rand_like(lower), right=True)
        drawn = self.order[at.minimum(self.last[cell])]
        return drawn, score1.gather(1, self.code1[drawn]) + score2.gather(1, self.code2[drawn]) + self.log_weight[drawn]

    def log_q(self, queries, row, items):
        score1, score2 = self.scores(queries)
        return score1[row, self.code1[items]] + score2[row, self.code2[items]] + self.log_weight[items]


def kmeans(rows, codewords, iterations=25):
    """Centroids and the index of each row's nearest; an empty cluster restarts at a random row."""
    codewords = min(codewords, len(rows))
    centroids = rows[torch.randperm(len(rows), device=rows.device)[:codewords]].clone()
    nearest = lambda: (centroids.square().sum(1) - 2 * rows @ centroids.T).argmin(1)
    for _ in range(iterations):
        code = nearest()
        size = torch.bincount(code, minlength=codewords)
        centroids = torch.zeros_like(centroids).index_add_(0, code, rows) / size.clamp(min=1).unsqueeze(1)
        empty = size == 0
        centroids[empty] = rows[torch.randint(len(rows), (int(empty.sum()),), device=rows.device)]
    return centroids, nearest()


def proposal(loss, rows, counts, codewords):
    weight = torch.log1p(counts) if loss.endswith("popularity") else torch.ones_like(counts)
    return Midx(rows, weight, codewords) if loss.startswith("midx") else Static(weight)


# ---------------------------------------------------------------- evaluation


@torch.no_grad()
def evaluate(net, train, test, users, k=50, batch=512):
    """NDCG@k and Recall@k (hits / |test|), training items masked; means over users with a test set."""
    net.eval()
    discount = 1 / torch.log2(torch.arange(k, device=users.device, dtype=torch.float64) + 2)
    ideal = discount.cumsum(0)
    ndcg = recall = 0.0
    users = users[test.start[users + 1] > test.start[users]]
    for chunk in users.split(batch):
        items, row, first, length = train.take(chunk)
        scores = net.output(net(items, row, first, length)[0])
        scores[row, items] = -torch.inf
        top = scores.topk(min(k, scores.shape[1])).indices
        items, row, _, length = test.take(chunk)
        relevant = torch.zeros_like(scores, dtype=torch.bool)
        relevant[row, items] = True
        hits = relevant.gather(1, top).double()
        ndcg += ((hits * discount[: hits.shape[1]]).sum(1) / ideal[length.clamp(max=k) - 1]).sum().item()
        recall += (hits.sum(1) / length).sum().item()
    return {f"ndcg@{k}": ndcg / len(users), f"recall@{k}": recall / len(users)} if len(users) else {}


# ---------------------------------------------------------------- training


def main():
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(args.seed)
    matrix = load(args.csv, args.core)
    users, items = matrix.shape
    print(f"{users} users, {items} items, {matrix.nnz} interactions; torch {torch.__version__}", file=sys.stderr)
    train_matrix, test_matrix = split(matrix, rng)
    train, test = Rows(train_matrix, args.device), Rows(test_matrix, args.device)
    counts = torch.from_numpy(train_matrix.getnnz(0).astype(np.float32)).to(args.device)
    sample = rng.permutation(users)[: args.eval_users]
    sample = torch.from_numpy(sample).to(args.device)

    net = MultVae(items, args.hidden, args.latent, args.dropout).to(args.device)
    adam = torch.optim.Adam(net.parameters(), lr=args.learning_rate, weight_decay=args.weight_decay, fused=True)
    step = 0
    for epoch in range(1, args.epochs + 1):
        net.train()
        began = time.perf_counter()
        sampler = None
        if args.loss != "full":
            sampler = proposal(args.loss, net.output.weight.detach(), counts, args.codewords)
        total = torch.zeros(2, device=args.device)
        batches = torch.from_numpy(rng.permutation(users)).to(args.device).split(args.batch)
        if args.max_steps is not None:
            batches = batches[: args.max_steps - step]
        for batch in batches:
            history, row, first, length = train.take(batch)
            queries, kl = net(history, row, first, length)
            if sampler:
                nll = sampled_nll(net, queries, history, row, sampler, args.negatives)
            else:
                nll = full_nll(net, queries, history, row)
            loss = nll + args.beta * min(1.0, step / max(1, args.anneal)) * kl
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += torch.stack([loss.detach(), kl.detach()])
            step += 1
        loss, kl = (total / len(batches)).tolist()  # waits for the device, so before the clock is read
        seconds = time.perf_counter() - began
        line = {"epoch": epoch, "steps": len(batches), "seconds": round(seconds, 3), "loss": loss, "kl": kl}
        last = epoch == args.epochs or step == args.max_steps
        if args.every and (epoch % args.every == 0 or last):
            line |= evaluate(net, train, test, sample)
        print(json.dumps(line), flush=True)
        if not np.isfinite(loss):
            sys.exit(f"the loss is {loss} in epoch {epoch}; lower --learning-rate")
        if step == args.max_steps:
            break


if __name__ == "__main__":
    main()
