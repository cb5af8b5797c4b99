"""What nf_srtp can do beyond what a backend of src/media asks of it, and what it
does with packets of every shape; in the laboratory, in two namespaces with veth
between them (features.sh). Prints a sentence for each. Arguments: which parts."""
import ctypes
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from nfsrtp import A, DUMP, KEY, STAT, STREAM, Family, attr, end, key, master, \
    name, parse, rtcp, rtp, stats, u32, u64, u8  # noqa: E402

RAW, BORROWED = 0x4, 0x8  # NF_SRTP_F_*
LOCAL, REMOTE, LOCAL6, REMOTE6 = "10.9.0.1", "10.9.0.2", "fd00::1", "fd00::2"
libc = ctypes.CDLL(None)
HERE = os.open("/proc/self/ns/net", os.O_RDONLY)
THERE = os.open("/run/netns/gen", os.O_RDONLY)
g = Family()
listener = Family()
listener.listen()
failed = 0
WAIT = 60  # seconds, for what must come, on an emulated processor


def is_true(what, good, *why):
    global failed
    failed += not good
    print("%s  %s" % ("ok    " if good else "not ok", what), flush=True)
    if not good:
        print("        ", *why)


def refused(number, what, cmd, payload):
    try:
        g.do(cmd, payload)
        is_true("refused: " + what, False, "it was not")
    except OSError as e:
        is_true("refused: " + what, e.errno == number and e.strerror, e)


def udp(ip, port, where=THERE, kind=socket.SOCK_DGRAM, proto=0):
    libc.setns(where, 0)
    s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, kind,
                      proto)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if kind == socket.SOCK_DGRAM:
        s.bind((ip, port))
    s.settimeout(WAIT)
    libc.setns(HERE, 0)
    return s


def receive(s):
    try:
        return s.recv(4000)
    except TimeoutError:
        return None


def count(ident, which, owner=7):
    return stats(g.do("FLOW_GET", name(ident, owner))[0]).get(which, 0)


def counted(ident, which, n=1, owner=7):
    """The packet was sent before, and was counted on this machine at once or
    soon."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        if count(ident, which, owner) == n:
            return True
        time.sleep(0.02)
    return False


def all_counted(ident, n):
    """So many packets have come to their end, whichever."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        have = stats(g.do("FLOW_GET", name(ident))[0])
        if sum(v for k, v in have.items()
               if k not in ("RTP_BYTES", "SOFT")) >= n:
            return True
        time.sleep(0.02)
    return False


def flow(ident, *more, owner=7, local=LOCAL, remote=REMOTE):
    """Flow 1: a (plain) to b; flow 2: b (SRTP) to a."""
    return name(ident, owner) + u64("PEER", ident ^ 3) + u64("CALL", 55) + \
        end("LOCAL", local, 29998 + 2 * ident) + \
        end("REMOTE", remote, 19000 + 1000 * ident) + b"".join(more)


def pair(one=b"", two=b"", suite=1, **where):
    g.do("FLUSH", u64("OWNER", 7))
    g.do("FLOW_ADD", flow(1, key("OUT", suite, 5), one, **where))
    g.do("FLOW_ADD", flow(2, key("IN", suite, 5), two, **where))


a, b = udp(REMOTE, 20000), udp(REMOTE, 21000)
a_rtcp, b_rtcp = udp(REMOTE, 20001), udp(REMOTE, 21001)
stranger = udp(REMOTE, 23000)
a6, b6 = udp(REMOTE6, 20000), udp(REMOTE6, 21000)
raw = udp(REMOTE, 0, kind=socket.SOCK_RAW, proto=socket.IPPROTO_UDP)
bound = udp(LOCAL, 30000, HERE)


def close(seq):
    """A packet of a as b has it."""
    a.sendto(rtp(seq), (LOCAL, 30000))
    return receive(b)


def open_(packet, seq):
    b.sendto(packet, (LOCAL, 30002))
    return receive(a) == rtp(seq)


def talk(seq):
    packet = close(seq)
    return packet is not None and open_(packet, seq)


def refusals():
    pair()
    refused(17, "an ID twice", "FLOW_ADD", flow(1, key("OUT", 1, 5)))
    refused(98, "another flow's address", "FLOW_ADD",
            name(9) + end("LOCAL", LOCAL, 30001))
    refused(95, "another LOCAL in FLOW_SET", "FLOW_SET",
            name(1) + u64("PEER", 2) + end("LOCAL", LOCAL, 30008))
    refused(2, "a flow that is not there", "FLOW_DEL", name(77))
    refused(22, "an attribute of another command", "FLOW_DEL",
            name(1) + u32("MARK", 1))
    refused(22, "a key that is too short", "FLOW_ADD",
            name(9) + end("LOCAL", LOCAL, 30020) +
            attr(A["OUT"], attr(KEY["SUITE"], struct.pack("H", 1)) +
                 attr(KEY["KEY"], b"x" * 5) + attr(KEY["SALT"], b"y" * 14),
                 True))
    refused(22, "IPv6 to an IPv4 flow", "FLOW_ADD",
            name(9) + end("LOCAL", LOCAL, 30020) + end("REMOTE", LOCAL6, 1))
    new = name(9) + end("LOCAL", LOCAL, 30020)
    nine = [(ssrc, 9, 9) for ssrc in range(1, 34)]
    for number, what, more in (
            (34, "a grace of more than a minute", u32("GRACE_MS", 60001)),
            (34, "a network longer than IPv4", u8("LATCH_PREFIX", 33)),
            (34, "a rule about sources there is not", u8("LATCH", 9)),
            (22, "a flag there is not", u32("FLAGS", 1 << 31)),
            (34, "a suite there is not", attr(A["OUT"], attr(
                KEY["SUITE"], struct.pack("H", 7)), True)),
            (22, "a next key without a key", key("IN_NEXT", 1, 5)),
            (22, "keys for what is no RTP", u32("FLAGS", RAW) +
             key("OUT", 1, 5)),
            (22, "RTCP at another address", end("LOCAL_RTCP", REMOTE, 30021)),
            (28, "more streams than a key has",
             key("OUT", 1, 5, streams=nine)),
            (17, "a stream twice", key("OUT", 1, 5, streams=nine[:1] * 2)),
            (34, "an index past the end",
             key("OUT", 1, 5, streams=[(1, 1 << 49, 0)])),
            (2, "a key by a fingerprint nobody has", attr(A["OUT"], attr(
                KEY["FINGERPRINT"], b"12345678"), True))):
        refused(number, what, "FLOW_ADD", new + more)
    refused(22, "a flow without an address", "FLOW_ADD", name(9))
    refused(97, "a packet from another family", "PACKET", name(1) +
            end("SOURCE", LOCAL6, 9) + attr(A["PAYLOAD"], rtp(1)))
    refused(2, "joining what is not there", "JOIN",
            name(1) + u64("FAR_OWNER", 7) + u64("FAR_ID", 77))
    is_true("and what was there goes on", talk(1))


def all_suites():
    for suite in range(1, 7):
        pair(suite=suite)
        is_true("suite %d, over two roll-overs" % suite,
                all(talk(seq) for seq in (65534, 65535, 0, 1, 30000, 60000,
                                          5, 6)))
        a_rtcp.sendto(rtcp(), (LOCAL, 30001))
        b_rtcp.sendto(receive(b_rtcp), (LOCAL, 30003))
        is_true("its RTCP", receive(a_rtcp) == rtcp())


def events():
    pair()
    listener.forget()
    packet = close(10)
    open_(packet, 10)
    b.sendto(packet, (LOCAL, 30002))
    b.sendto(packet[:50] + b"x" + packet[51:-1] + b"y", (LOCAL, 30002))
    b.sendto(b"\x80\0\0\x0b" + packet[4:], (LOCAL, 30002))
    stranger.sendto(rtp(11), (LOCAL, 30000))
    wanted = (("LATCHED", 1), ("LATCHED", 2), ("SSRC_NEW", 1),
              ("SSRC_NEW", 2), ("REPLAY", 2), ("AUTH_FAIL", 2),
              ("SRC_REJECT", 1))
    got = [(e["EVENT"], e.get("ID")) for e in listener.events(*wanted)]
    for want in wanted:
        is_true("event %s of flow %d" % want, want in got, got)


def told(ident, verdict):
    """An event of flow ident says that a packet met this end."""
    got = [e for e in listener.events(("REFUSED", ident))
           if e["EVENT"] == "REFUSED"]
    return bool(got) and got[0]["COUNT"] >= 1 and \
        got[0]["VERDICT"] == STAT["NF_SRTP_STAT_" + verdict]


def other_refusals():
    """The first of each kind is told, if nothing else was within a second."""
    for verdict, more, packet in (
            ("MALFORMED", b"", b"\x80\0" + bytes(4)),
            ("PAYLOAD_TYPE", attr(A["PAYLOAD_TYPES"], bytes([1]) + bytes(15)),
             rtp(1, pt=8)),
            ("BLOCKED", u32("FLAGS", BORROWED), rtp(1))):
        pair(more)
        listener.forget()
        a.sendto(packet, (LOCAL, 30000))
        is_true("%s is told" % verdict, counted(1, verdict) and
                told(1, verdict))


LATE = u32("GRACE_MS", 60000)


def keys():
    for suite in (1, 3):
        pair(suite=suite)
        late = close(20)
        g.do("FLOW_SET", flow(2, key("IN", suite, 99), LATE))
        is_true("the key before opens what is on its way", open_(late, 20))
        g.do("FLOW_SET", flow(1, key("OUT", suite, 99)))
        is_true("and the new one what comes", talk(21))
        g.do("FLOW_SET", flow(2, key("IN", suite, 99),
                              key("IN_NEXT", suite, 50), LATE))
        is_true("a next key changes nothing yet", talk(22))
        late = close(23)
        g.do("FLOW_SET", flow(1, key("OUT", suite, 50)))
        listener.forget()
        is_true("until its first packet", talk(24))
        is_true("which is an event", any(
            e["EVENT"] == "KEY_NEXT"
            for e in listener.events(("KEY_NEXT", 2))))
        is_true("what is late comes still", open_(late, 23))
        is_true("nothing failed", count(2, "AUTH_FAIL") == 0)
    talk(40)
    message = g.do("FLOW_GET", name(1))[0]
    is_true("no answer has a key", master(50, 16) not in message)
    out = dict(parse(dict(parse(message))[A["OUT"]]))
    g.do("FLOW_SET", flow(1, attr(A["OUT"], attr(
        KEY["FINGERPRINT"], out[KEY["FINGERPRINT"]]), True)))
    a.sendto(rtp(40), (LOCAL, 30000))
    is_true("a key named by its fingerprint goes on", counted(1, "REPLAY") and
            talk(41))


def hand_over():
    pair()
    for seq in range(65500, 65560):
        talk(seq)
    last = dict(parse(g.do("FLOW_DEL", name(1))[0]))
    stream = dict(parse(dict(parse(last[A["OUT"]]))[KEY["STREAM"]]))
    after = struct.unpack("Q", stream[STREAM["RTP"]])[0]
    is_true("the last answer tells the index", after == 65560, after)
    g.do("FLOW_ADD", flow(1, key("OUT", 1, 5,
                                 streams=[(0x11223344, after, 7)])))
    is_true("a successor goes on there", talk(65560))
    a.sendto(rtp(65559), (LOCAL, 30000))
    is_true("and sends nothing twice", counted(1, "REPLAY"))
    a_rtcp.sendto(rtcp(), (LOCAL, 30001))
    packet = receive(b_rtcp)
    is_true("nor an index of SRTCP",
            packet and packet[8:12] == b"\x80\0\0\x07", packet)


def proven():
    """A flow that somebody else had, whose party is not where it said."""
    pair(two=u8("LATCH", 2) + end("LATCHED", REMOTE, 23000))
    a.sendto(rtp(1), (LOCAL, 30000))
    is_true("what was proven elsewhere is where packets go",
            receive(stranger) is not None)
    b.sendto(rtp(1), (LOCAL, 30002))
    is_true("and what is forged changes nothing", counted(2, "AUTH_FAIL"))
    refused(22, "proven, of another family", "FLOW_ADD",
            name(9) + end("LOCAL", LOCAL, 30020) +
            end("LATCHED", LOCAL6, 1))
    refused(22, "proven, of a flow that is there", "FLOW_SET",
            flow(1, end("LATCHED", REMOTE, 20000)))
    refused(2, "removal with who is not the peer", "FLOW_DEL",
            name(1) + u64("PEER", 77))
    ids = [dict(parse(m))[A["ID"]]
           for m in g.do("FLOW_DEL", name(1) + u64("PEER", 2))]
    is_true("two go in one step, with an answer each",
            ids == [struct.pack("Q", 1), struct.pack("Q", 2)], ids)
    refused(2, "one that went so", "FLOW_GET", name(2))


def shapes():
    pair()
    a.setsockopt(socket.IPPROTO_UDP, 103, 172)  # UDP_SEGMENT
    a.sendto(b"".join(rtp(i) for i in range(100, 108)), (LOCAL, 30000))
    a.setsockopt(socket.IPPROTO_UDP, 103, 0)
    got = [receive(b) for _ in range(8)]
    is_true("a bundle comes out as single packets",
            all(open_(p, 100 + i) for i, p in enumerate(got) if p) and
            None not in got, got)
    plain = rtp(200)

    def by_hand(length, checksum):
        raw.sendto(struct.pack(">HHHH", 20000, 30000, length, checksum) +
                   plain, (LOCAL, 0))
    by_hand(8 + len(plain), 0x1234)
    is_true("damaged plain RTP goes nowhere", counted(1, "CHECKSUM"))
    by_hand(8 + len(plain) + 9, 0)
    is_true("nor what is longer than it is", counted(1, "MALFORMED"))
    by_hand(8 + len(plain), 0)
    is_true("no checksum at all may be", receive(b) is not None)
    for size in (1450, 1451):  # with tag and headers 1500 bytes, and 1501
        a.sendto(rtp(size, n=size), (LOCAL, 30000))
    is_true("what just fits passes", len(receive(b) or b"") == 1472)
    is_true("what just does not is dropped", counted(1, "TOO_BIG"))
    pair(u32("FLAGS", 0x10))
    listener.forget()
    a.sendto(b"\0\1hello", (LOCAL, 30000))
    is_true("what is no RTP goes to the socket if wished",
            receive(bound) == b"\0\1hello" and counted(1, "PUNT"))
    big = rtp(3, n=1700)
    a.sendto(big, (LOCAL, 30000))
    is_true("fragments go to the socket", receive(bound) == big and
            counted(1, "FRAGMENT"))
    g.do("PACKET", name(1) + end("SOURCE", REMOTE, 20000) +
         attr(A["PAYLOAD"], big))
    is_true("handed back, what does not fit is dropped",
            counted(1, "TOO_BIG"))
    is_true("and told", any(e["EVENT"] == "MTU" and e["MTU"] == 1500
                            for e in listener.events(("MTU", 2))))
    g.do("PACKET", name(1) + end("SOURCE", REMOTE, 20000) +
         attr(A["PAYLOAD"], rtp(4)))
    packet = receive(b)
    is_true("and what fits is relayed", packet and open_(packet, 4))


def lengths():
    """Around where the kernel takes the next larger piece of memory for a
    packet: behind some there is no room for a tag."""
    pair(suite=3)
    good = 0
    wanted = (*range(60, 140), *range(560, 660))
    for n in wanted:
        a.sendto(rtp(n, n=n), (LOCAL, 30000))
        packet = receive(b)
        if packet is None or len(packet) != 12 + n + 16:
            break
        b.sendto(packet, (LOCAL, 30002))
        good += receive(a) == rtp(n, n=n)
    is_true("packets of every length get their tag", good == len(wanted),
            good)


def version6():
    pair(u8("DSCP", 46), u8("DSCP", 46), suite=3, local=LOCAL6, remote=REMOTE6)
    b6.setsockopt(socket.IPPROTO_IPV6, 66, 1)  # IPV6_RECVTCLASS
    a6.sendto(rtp(1), (LOCAL6, 30000))
    packet, more, _, _ = b6.recvmsg(4000, 100)
    is_true("IPv6, and its traffic class",
            more and more[0][2][:1] == bytes([46 << 2]), more)
    b6.sendto(packet, (LOCAL6, 30002))
    is_true("and back", receive(a6) == rtp(1))
    a6.setsockopt(socket.IPPROTO_IPV6, 54, b"\0\0\1\4\0\0\0\0")  # HOPOPTS
    a6.sendto(rtp(2), (LOCAL6, 30000))
    is_true("behind an extension header", receive(b6) is not None)
    a6.setsockopt(socket.IPPROTO_IPV6, 54, b"")


def limits():
    types = bytes([1]) + bytes(15)
    pair(attr(A["PAYLOAD_TYPES"], types))
    is_true("a payload type that was agreed", talk(1))
    a.sendto(rtp(2, pt=8), (LOCAL, 30000))
    is_true("and one that was not", counted(1, "PAYLOAD_TYPE"))
    for ssrc in range(100):
        a.sendto(rtp(1, ssrc=ssrc), (LOCAL, 30000))
    # two more in each second that the machine takes
    is_true("a flood of SSRCs ends soon", all_counted(1, 102) and
            count(1, "SSRC_LIMIT") >= 20)
    drain()
    is_true("and the first one still passes", talk(3))


def drain():
    for s in (a, b):
        s.settimeout(0.2)
        while receive(s) is not None:
            pass
        s.settimeout(WAIT)


def owners():
    pair()
    is_true("a dump has both", len(g.do("FLOW_GET", u64("OWNER", 7),
                                        DUMP)) == 2)
    answer = dict(parse(g.do("CALL_DEL", u64("OWNER", 7) +
                             u64("CALL", 55))[0]))
    is_true("a call goes as one", answer[A["FLOWS"]] == struct.pack("I", 2))
    g.do("FLOW_ADD", flow(1, owner=44))
    listener.forget()
    g.do("OWNER_SET", u64("OWNER", 44) + u32("LEASE", 1))
    got = [e for e in listener.events(("EXPIRED", None))
           if e["EVENT"] == "EXPIRED"]
    is_true("a lease that runs out", got and got[0]["FLOWS"] == 1, got)
    refused(2, "its flow, which is gone", "FLOW_GET", name(1, 44))
    for i in range(1, 501):
        g.do("FLOW_ADD", name(i, 9) + u64("PEER", i ^ 1) +
             end("LOCAL", LOCAL, 40000 + 2 * i) + key("OUT", 1, i & 255))
    is_true("500 flows in a dump", len(g.do("FLOW_GET", u64("OWNER", 9),
                                            DUMP)) == 500)
    streams = [(ssrc, 9, 9) for ssrc in range(1, 33)]
    g.do("FLUSH", u64("OWNER", 9))
    g.do("FLOW_ADD", name(1, 9) + end("LOCAL", LOCAL, 40000) +
         key("OUT", 1, 1, streams=streams) + key("IN", 1, 2, streams=streams) +
         key("IN_NEXT", 1, 3, streams=streams))
    narrow = Family(room=2048)  # first messages of a dump are as small
    narrow.room = 65536
    is_true("a flow with all streams it may have is in a dump as well",
            len(narrow.do("FLOW_GET", u64("OWNER", 9), DUMP)) == 1)
    rm = subprocess.run(["rmmod", "nf_srtp"], capture_output=True)
    is_true("the module stays while there are flows",
            rm.returncode and b"in use" in rm.stderr, rm.stderr)
    g.do("FLUSH", u64("OWNER", 9))


def in_child(body):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if body() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def without_rights():
    os.setuid(65534)
    f = Family()
    f.do("FEATURES")
    try:
        f.do("FLOW_GET", u64("OWNER", 9), DUMP)
    except OSError as e:
        return e.errno == 1
    return False


def elsewhere():
    fd = os.open("/run/netns/other", os.O_RDONLY)
    libc.setns(fd, 0)
    Family().do("FLOW_ADD", flow(1, key("OUT", 1, 3)))
    return True


def namespaces():
    is_true("without rights one sees what there is, and no flow",
            in_child(without_rights))
    subprocess.run(["ip", "netns", "add", "other"], check=True)
    is_true("another namespace has flows of its own", in_child(elsewhere))
    subprocess.run(["ip", "netns", "del", "other"], check=True)


def xfrm(what, way, src, dst, *more):
    got = subprocess.run(["ip", "xfrm", "policy", what, "dir", way, "src", src,
                          "dst", dst, "proto", "udp", *more],
                         capture_output=True)
    return got.stderr.decode().strip()  # "": done


def ipsec():
    """Media in the clear where a policy wants ESP."""
    # the kernel finds no modprobe where it looks for it
    subprocess.run(["modprobe", "-aq", "xfrm_user", "esp4", "esp6"])
    esp = ("tmpl", "proto", "esp", "mode", "transport")
    for local, remote, x, y in ((LOCAL, REMOTE, a, b),
                                (LOCAL6, REMOTE6, a6, b6)):
        pair(local=local, remote=remote)
        x.sendto(rtp(1), (local, 30000))
        is_true("without a policy it passes", receive(y) is not None)
        why = xfrm("add", "in", remote, local, *esp)
        if why:
            print("skipped: policies of IPsec:", why)
            return
        x.sendto(rtp(2), (local, 30000))
        is_true("what should have come by IPsec is dropped",
                counted(1, "BLOCKED"))
        xfrm("delete", "in", remote, local)
        is_true("a policy for the way out",
                not xfrm("add", "out", local, remote, *esp))
        x.sendto(rtp(3), (local, 30000))
        is_true("comes to its end as well", all_counted(1, 3))
        xfrm("delete", "out", local, remote)
        x.sendto(rtp(4), (local, 30000))
        packet = receive(y)
        is_true("but not in the clear, and later ones pass again",
                packet and packet[2:4] == b"\0\4", packet)


PARTS = (refusals, all_suites, events, other_refusals, keys, hand_over, proven, shapes,
         lengths, version6, limits, ipsec, owners, namespaces)

for part in PARTS:
    if len(sys.argv) == 1 or part.__name__ in sys.argv[1:]:
        part()
        drain()
g.do("FLUSH", u64("OWNER", 7))
sys.exit(failed != 0)
