"""kernel-steps.py MODULE COUNTS <CONSOLE: where the instructions of a packet go.
COUNTS is what the plugin steps/ wrote, the console has what kernel-guest.sh's
steps told, MODULE is nf_srtp.ko with debugging information, by which code that
was inlined is found again in the function it comes from. Each step of the table
is the sum over the functions that its pattern names, the first that fits."""
import bisect
import re
import subprocess
import sys

# what is inlined is named "FUNCTION in FUNCTION"
STEPS = (
    ("AES: assembler", r"aes_ctr_enc|aesni_gcm|aes_loop|_(?!_)[a-z_0-9]*[0-9]$"),
    ("AES: the session's function, the driver, the crypto API's walk",
     r"skcipher|ctr_crypt|aesni_|gcm|generic_gcm|crypto_aead|scatterwalk"
     r"|.*(session_(ctr|open|seal)|driver_(ctr|open|seal)|gcm_iv)$|sg_"),
    ("HMAC: SHA-1 of four blocks, assembler", r"sha1_transform"),
    ("HMAC: nf_srtp_session_mac and the driver around it",
     r"sha1_|crypto_shash|.*(session_mac|driver_mac|sha1_from)$"),
    ("vector unit: taken, given back, a task's saved now and then",
     r"kernel_fpu|irq_fpu|save_fpregs|xfd_"),
    ("1, 2: hook, port, address", r".*(hook4|ours4|port_find)$"),
    ("3, 8: nf_srtp_receive, nf_srtp_take, nf_srtp_forward, checksum",
     r".*(srtp_receive|srtp_take|srtp_forward)$|nf_(ip_)?checksum"),
    ("4: nf_srtp_judge: way, source, header, latches",
     r".*(srtp_judge|srtp_parse|srtp_kind|latch_may_try|is_known)$"),
    ("5, 6: index and window, under the locks",
     r".*(protect|accept|consider|reserve_locked|index_[a-z]+)$"
     r"|__crypto_memneq|_raw_spin_(un)?lock$"),
    ("7: nf_srtp_xmit: route, headers",
     r".*srtp_(xmit|dest)$|ip_skb_dst_mtu|ipv4_(mtu|dst_check)|udp_set_csum"
     r"|ip_send_check"),
    ("7: the stack from ip_local_out to the device",
     r"_*ip_(local_out|output|finish)|nf_hook_slow|apparmor_|__dev_queue_xmit"
     r"|validate_xmit|netif_skb_features|skb_network_protocol|netdev_core"
     r"|skb_csum_hw|dev_hard_start"),
    ("7: veth and the other end's backlog",
     r"veth_|__dev_forward|skb_(scrub|clone)|eth_type|__netif_rx|netif_rx"
     r"|enqueue_to_b|_raw_spin_(un)?lock_irq|passthru"),
    ("in any of them: RCU, memory, bottom halves",
     r"__rcu_read|mem(cpy|set|cmp)|__local_bh"),
    ("interrupts, and what is named nowhere above", r""),
)


def symbols(lines):
    """[(address, name)] in order, and where nf_srtp's sections are."""
    table, sections = [], {}
    for line in lines:
        word = line.split()
        if word[:1] == ["symbol"]:
            table.append((int(word[1], 16), word[2], *word[3:]))
        elif word[:1] == ["section"]:
            sections[word[1]] = int(word[2], 16)
    return sorted(table), sections


def inlined(module, section, offsets):
    """{offset: [innermost function, ..., the one it is part of]}"""
    ask = "\n".join("%x" % o for o in offsets)
    said = subprocess.run(
        ["addr2line", "-a", "-i", "-f", "-e", module, "-j", section],
        input=ask, capture_output=True, text=True, check=True).stdout
    out, at = {}, None
    for i, line in enumerate(said.splitlines()):
        if line.startswith("0x"):
            at = out.setdefault(int(line, 16), [])
            first = i + 1
        elif (i - first) % 2 == 0:
            at.append(line)
    return out


def main():
    module, counts_file = sys.argv[1:]
    console = [line.rstrip("\r\n") for line in sys.stdin]
    table, sections = symbols(console)
    starts = [s[0] for s in table]
    counts = {}
    with open(counts_file, encoding="ascii") as f:
        for line in f:
            at, n = line.split()
            counts[int(at, 16)] = counts.get(int(at, 16), 0) + int(n)

    def name(at):
        i = bisect.bisect(starts, at) - 1
        return table[i][1:] if i >= 0 else ("?",)

    entry = next(s[0] for s in table if s[1] == "nf_srtp_hook4")
    packets = counts[entry]
    ours, total = {}, {}
    for at, n in counts.items():
        who = name(at)
        if who[1:] == ("[nf_srtp]",):
            ours[at] = n
        elif who[1:] != ("[nf_meter]",):
            total[who[0]] = total.get(who[0], 0) + n
    for section, start in sections.items():
        near = {at - start: n for at, n in ours.items()
                if 0 <= at - start < 1 << 20}
        chain = inlined(module, section, near)
        for offset, n in near.items():
            who = "%s in %s" % (chain[offset][0], chain[offset][-1])
            total[who] = total.get(who, 0) + n
    steps = dict.fromkeys((step for step, _ in STEPS), 0)
    for who, n in total.items():
        steps[next(s for s, pattern in STEPS if re.match(pattern, who))] += n
    print("%d packets, %.0f instructions each" % (
        packets, sum(total.values()) / packets))
    for step, n in steps.items():
        print("%8.0f %s" % (n / packets, step))
    print("of these, by function")
    for who, n in sorted(total.items(), key=lambda i: -i[1]):
        if n >= packets:
            print("%8.0f %s" % (n / packets, who))


main()
