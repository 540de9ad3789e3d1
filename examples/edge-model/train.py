#!/usr/bin/env python3
"""Trains the example's model and writes weights.json: multinomial logistic regression, standard library only.

    ./train.py 1.0.0 v1/weights.json            # trained on a new machine
    ./train.py 2.0.0 v2/weights.json --worn     # trained on a worn one, which needs attention earlier

The same arguments give the same file.
"""
import json
import math
import random
import sys

FEATURES = ["temperature_c", "vibration_mm_s", "current_a", "pressure_bar"]
LABELS = ["normal", "warning", "fault"]
SPREAD = [4.0, 0.4, 0.3, 0.12]
NEW = {"normal": [45, 1.2, 3.0, 2.0], "warning": [60, 2.8, 3.8, 1.8], "fault": [78, 5.5, 5.2, 1.3]}
WORN = {"normal": [42, 1.0, 2.9, 2.05], "warning": [51, 1.9, 3.3, 1.92], "fault": [63, 3.3, 4.1, 1.7]}


def samples(centres, count, rng):
    for label, centre in enumerate(centres[name] for name in LABELS):
        for _ in range(count):
            yield [rng.gauss(c, s) for c, s in zip(centre, SPREAD)], label


def softmax(logits):
    top = max(logits)
    powers = [math.exp(x - top) for x in logits]
    return [p / sum(powers) for p in powers]


def train(data, rounds=300, rate=0.5, decay=0.001):
    n, width = len(data), len(FEATURES)
    mean = [sum(x[i] for x, _ in data) / n for i in range(width)]
    scale = [math.sqrt(sum((x[i] - mean[i]) ** 2 for x, _ in data) / n) for i in range(width)]
    rows = [([(v - m) / s for v, m, s in zip(x, mean, scale)], y) for x, y in data]
    weights = [[0.0] * width for _ in LABELS]
    bias = [0.0] * len(LABELS)
    for _ in range(rounds):
        step_w = [[0.0] * width for _ in LABELS]
        step_b = [0.0] * len(LABELS)
        for x, y in rows:
            scores = softmax([sum(w * v for w, v in zip(ws, x)) + b for ws, b in zip(weights, bias)])
            for k in range(len(LABELS)):
                error = scores[k] - (k == y)
                step_b[k] += error / n
                for i in range(width):
                    step_w[k][i] += error * x[i] / n
        for k in range(len(LABELS)):
            bias[k] -= rate * step_b[k]
            for i in range(width):
                weights[k][i] -= rate * (step_w[k][i] + decay * weights[k][i])
    return mean, scale, weights, bias


def main():
    version, path = sys.argv[1:3]
    centres = WORN if "--worn" in sys.argv else NEW
    rng = random.Random(version)
    mean, scale, weights, bias = train(list(samples(centres, 200, rng)))
    short = lambda values: [round(v, 5) for v in values]
    model = {
        "format": "linear-1", "model_version": version, "features": FEATURES, "labels": LABELS,
        "mean": short(mean), "scale": short(scale), "weights": [short(w) for w in weights], "bias": short(bias),
    }
    with open(path, "w") as file:
        json.dump(model, file, indent=1)
        file.write("\n")


main()
