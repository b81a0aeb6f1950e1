# Times the `run` of a reference simulator: python3 -c THIS simulator.py FOLDER STARTS TRACE[+TRACE...]...
# Only the runs are timed, not the interpreter's start nor the reading of files.
import importlib.util, json, math, sys, time

path, folder, starts, cases = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
spec = importlib.util.spec_from_file_location("peer", path)
peer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(peer)
peer.HERE = ""
index, values = peer.load(folder.lstrip("/"))
jobs = []
for case in cases:
    zones = case.split("+")
    gap = int(index[zones[0]]["gap_seconds"])
    up = [[int(x >= int(index[z]["capacity"])) for x in values[z]] for z in zones]
    need = math.ceil(93 * 3600 / gap) + 5
    last = min(map(len, up)) - need
    for n in range(starts):
        start = round(n * last / max(starts - 1, 1))
        jobs.append(([z[start:start + need] for z in up], gap))
runs, cost = 0, 0.0
begin = time.perf_counter()
for zones, gap in jobs:
    for deadline in (53, 60, 80):
        for policy in peer.POLICIES.values():
            cost += peer.run(zones, gap, 48 * 3600, deadline * 3600, 0.2 * 3600, policy)[0]
            runs += 1
print(json.dumps({"runs": runs, "seconds": time.perf_counter() - begin, "cost_usd": cost}))
