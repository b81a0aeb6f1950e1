"""Asks SkyPilot's optimizer for one accelerator of each model, on a catalogue in $HOME/.sky, without any cloud account.

Arguments: how many decisions, the names of the clouds, the models. Prints one JSON document: the answers and the seconds that
each decision took. The check which clouds are enabled is replaced, since no cloud can be reached; nothing else is changed.
"""

import json
import resource
import sys
import time

decisions, clouds, models = int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3].split(",")

import sky
import sky.check
from sky.optimizer import Optimizer
from sky.utils import registry

enabled = [registry.CLOUD_REGISTRY.from_str(name) for name in clouds]
sky.check.get_cached_enabled_clouds_or_refresh = lambda *args, **kwargs: list(enabled)


def decide(model):
    with sky.Dag() as dag:
        task = sky.Task(run="true")
        task.set_resources(sky.Resources(accelerators={model: 1}))
    began = time.perf_counter()
    Optimizer.optimize(dag, quiet=True)
    took = time.perf_counter() - began
    best = task.best_resources
    return {
        "model": model,
        "cloud": str(best.cloud).lower(),
        "region": best.region,
        "instance_type": best.instance_type,
        "price_usd_hour": best.get_cost(3600),
    }, took


# The first one reads the catalogues.
answers = [decide(model)[0] for model in models]
seconds = [decide(models[n % len(models)])[1] for n in range(decisions)]
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"version": sky.__version__, "answers": answers, "seconds": seconds, "memory_mib": memory}))
