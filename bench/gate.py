#!/usr/bin/env python3
"""The gate that people write: redis-py reads the newest events, numpy takes the figures. Also writes the events to read.

    gate.py judge COUNT        judge them; exit 0 or 2
    gate.py write COUNT        print the commands of so many events for `redis-cli --pipe`
"""

import json
import random
import sys
import time

STREAM = "quantum:stream:trade.intent"
MODELS = ["patchtst", "reversion", "crossover", "autoregression"]
ACTIONS = ["BUY", "SELL", "HOLD"]


def judge(count):
    import numpy as np
    import redis

    client = redis.Redis(host="127.0.0.1", port=6379)
    actions, confidences = {}, {}
    for _, fields in client.xrevrange(STREAM, count=count):
        for model, said in json.loads(fields[b"model_breakdown"]).items():
            actions.setdefault(model, []).append(said["action"])
            confidences.setdefault(model, []).append(float(said["confidence"]))
    blocked = not actions
    for model, said in actions.items():
        sure = np.array(confidences[model])
        low, high = np.percentile(sure, [10, 90])
        shares = [said.count(action) / len(said) for action in ACTIONS]
        blocked |= len(said) < 200 or max(shares) > 0.70 or shares[2] > 0.85
        blocked |= np.std(sure) < 0.05 or low == high or high - low < 0.12
    return 2 if blocked else 0


def write(count):
    random.seed(1)
    began = int(time.time() * 1000) - count * 10
    out = sys.stdout
    for at in range(count):
        answers = {model: {"action": random.choice(ACTIONS), "confidence": round(random.uniform(0.3, 0.95), 4)}
                   for model in MODELS}
        fields = {"event_type": "trade.intent", "source": "bench", "symbol": "BTCUSDT", "price": "100.000000",
                  "timestamp": f"{(began + at * 10) / 1000:.3f}", "model_breakdown": json.dumps(answers, separators=(",", ":"))}
        words = ["XADD", STREAM, f"{began + at * 10}-0", *(word for pair in fields.items() for word in pair)]
        out.write(f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words))
    return 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["judge", count]:
            sys.exit(judge(int(count)))
        case ["write", count]:
            sys.exit(write(int(count)))
        case _:
            sys.exit(__doc__)
