"""kernel-rows.py RESULTS <CONSOLE: judges what kernel-guest.sh printed: a table,
and RESULTS in the form of bench-results.json. Fails when a goal is missed, or a
figure is."""
import json
import sys

CM, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
SHORT = {CM: "AES-CM", GCM: "AES-GCM"}
XT = "xt_RTPENGINE 10.5"
UNIT = "instructions"

packets = {}  # (relay, suite, calls): turns
memory = {}   # suite: (used, during a rekey)
meters = {}   # name: {what: a packet's}

for line in sys.stdin:
    word = line.split()
    if word[:2] == ["figure", "packet"]:
        key = (word[2], word[3], int(word[4]))
        packets.setdefault(key, []).append(float(word[5]))
    elif word[:2] == ["figure", "memory"]:
        memory[word[2]] = (float(word[4]), float(word[5]))
    elif word[:2] == ["figure", "meter"]:
        if int(word[4]):
            meters.setdefault(word[2], {})[word[3]] = \
                int(word[5]) / int(word[4])


def median(turns):
    return sorted(turns)[len(turns) // 2]


class Missing(Exception):
    pass


def get(figures, *path):
    for p in path:
        if p not in figures:
            raise Missing(" ".join(map(str, path)))
        figures = figures[p]
    return figures


def cost(relay, suite, calls=20):
    """(a packet's, spread): the whole machine's, less the sink's."""
    turns = get(packets, (relay, suite, calls))
    sink = median(get(packets, ("sink", suite, 20)))
    ours = median(turns) - sink
    return ours, (max(turns) - min(turns)) / ours


def against(name, goal, ours, peer, peer_name, unit=UNIT):
    return dict(name=name, unit=unit, ours=ours[0], peer=peer[0],
                peer_name=peer_name, ratio=ours[0] / peer[0], goal=goal,
                spread=ours[1])


def limit(name, limit_, ours, unit=UNIT, spread=0):
    return dict(name=name, unit=unit, ours=ours, peer=None, peer_name=None,
                ratio=ours / limit_, goal=1.0, spread=spread, limit=limit_)


def packet_against(relay, suite, other, goal, other_name=None):
    return lambda: against(
        "%s per packet RTP<->SRTP %s" % (relay, SHORT[suite]), goal,
        cost(relay, suite), cost(other, suite), other_name or other)


def meter(what, name, less):
    return get(meters, name, what) - get(meters, less, what)


def in_hook(suite):
    return lambda: against(
        "in the hook %s" % SHORT[suite], None,
        (get(meters, "hook-" + suite, "hook"), 0),
        (get(meters, "peer-" + suite, "target"), 0), XT)


rows = [
    packet_against("nf_srtp", CM, "xt_RTPENGINE", 0.65, XT),
    packet_against("nf_srtp", GCM, "xt_RTPENGINE", 0.45, XT),
    packet_against("nf_srtp", CM, "rtpengine", None, "rtpengine 10.5"),
    packet_against("nf_srtp", GCM, "rtpengine", None, "rtpengine 10.5"),
    packet_against("socket", CM, "rtpengine", None, "rtpengine 10.5"),
    packet_against("socket", GCM, "rtpengine", None, "rtpengine 10.5"),
    packet_against("queue", CM, "socket", 2.0, "sockets"),
    packet_against("queue", GCM, "socket", 2.0, "sockets"),
    lambda: limit("in nf_srtp's hook AES-CM", 9000,
                  get(meters, "hook-" + CM, "hook")),
    in_hook(CM),
    in_hook(GCM),
    lambda: limit("UDP of others, our hook alone", 140,
                  meter("udp", "ours", "none")),
    lambda: limit("TCP of others, our hook alone", 140,
                  meter("tcp", "ours", "none")),
    lambda: limit("UDP of others, beside another hook", 80,
                  meter("udp", "both", "empty")),
    lambda: limit("TCP of others, beside another hook", 80,
                  meter("tcp", "both", "empty")),
    lambda: against("nf_srtp per packet, 10000 flows", 1.05,
                    cost("raw", CM, 5000), cost("raw", CM, 5), "10 flows"),
    lambda: limit("memory per flow direction AES-CM", 4,
                  get(memory, CM)[0], "KiB"),
    lambda: limit("memory per flow direction AES-GCM", 4,
                  get(memory, GCM)[0], "KiB"),
    lambda: limit("the same during a rekey AES-CM", 6.5,
                  get(memory, CM)[1], "KiB"),
    lambda: limit("the same during a rekey AES-GCM", 6.5,
                  get(memory, GCM)[1], "KiB"),
]


def show(r):
    missed = r["goal"] is not None and r["ratio"] > r["goal"]
    print("%-46s %9.1f %9s %7.3f %6s %6.1f%% %s" % (
        r["name"], r["ours"],
        "%.1f" % (r["peer"] or r.get("limit") or 0), r["ratio"],
        "-" if r["goal"] is None else "%.2f" % r["goal"], r["spread"] * 100,
        "MISSED" if missed else r["peer_name"] or "limit"))
    return not missed


def main():
    good, done = True, []
    for key, turns in sorted(packets.items()):
        print("  %-13s %-24s %5d calls: %s" % (
            *key, " ".join("%.0f" % t for t in turns)))
    for name, m in sorted(meters.items()):
        print("  meter %-30s %s" % (name, " ".join(
            "%s %.1f" % i for i in m.items())))
    print("\n%-46s %9s %9s %7s %6s %7s" % (
        "row", "ours", "peer", "ratio", "goal", "spread"))
    for row in rows:
        try:
            r = row()
        except Missing as e:
            print("missing: %s" % e)
            good = False
            continue
        good &= show(r)
        r.pop("limit", None)
        done.append({k: round(v, 4) if isinstance(v, float) else v
                     for k, v in r.items()})
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(" " + json.dumps(r) for r in done) +
                "\n]\n")
    return 0 if good else 1


sys.exit(main())
