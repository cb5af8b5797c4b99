"""nf_srtp's netlink family by hand, for tests: numbers are read from the header
itself, so that nothing is said twice. Needs no package beside Python."""
import os
import re
import socket
import struct

REQUEST, ACK, DUMP = 1, 4, 0x300
GENL, CTRL, GETFAMILY = 16, 16, 3
NESTED = 0x8000


def _numbers(text, name):
    body = re.search(r"enum %s \{(.*?)\n\}" % name, text, re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    names = [n.split("=")[0].strip() for n in body.split(",") if n.strip()]
    return {n: i for i, n in enumerate(names)}


def _short(numbers, prefix):
    return {n[len(prefix):]: i for n, i in numbers.items()}


_header = open(os.path.join(os.environ["TOP"], "kmod/uapi/nf_srtp.h")).read()
CMD = _short(_numbers(_header, "nf_srtp_cmd"), "NF_SRTP_CMD_")
A = _short(_numbers(_header, "nf_srtp_attr"), "NF_SRTP_A_")
KEY = _short(_numbers(_header, "nf_srtp_key"), "NF_SRTP_KEY_")
STREAM = _short(_numbers(_header, "nf_srtp_stream"), "NF_SRTP_STREAM_")
STAT = _numbers(_header, "nf_srtp_stat")
EVENT = _numbers(_header, "nf_srtp_event")


def attr(kind, data, nested=False):
    n = 4 + len(data)
    return struct.pack("HH", n, kind | (NESTED if nested else 0)) + data + \
        b"\0" * (-n % 4)


def parse(data):
    """[(kind, bytes)] of a row of attributes."""
    out = []
    while len(data) >= 4:
        n, kind = struct.unpack("HH", data[:4])
        out.append((kind & ~NESTED, data[4:n]))
        data = data[(n + 3) & ~3:]
    return out


def u64(name, v):
    return attr(A[name], struct.pack("Q", v))


def u32(name, v):
    return attr(A[name], struct.pack("I", v))


def u8(name, v):
    return attr(A[name], struct.pack("B", v))


def end(name, ip, port):
    if ":" in ip:
        data = attr(2, socket.inet_pton(socket.AF_INET6, ip))
    else:
        data = attr(1, socket.inet_aton(ip))
    return attr(A[name], data + attr(3, struct.pack(">H", port)), True)


LENGTHS = {1: (16, 14), 2: (16, 14), 3: (16, 12), 4: (32, 14), 5: (32, 14),
           6: (32, 12)}


def master(seed, n):
    return bytes((seed + i) & 255 for i in range(n))


def key(name, suite, seed, mki=b"", streams=()):
    """A key that a seed stands for; streams: (ssrc, next RTP, next RTCP)."""
    n, salt = LENGTHS[suite]
    data = attr(KEY["SUITE"], struct.pack("H", suite)) + \
        attr(KEY["KEY"], master(seed, n)) + \
        attr(KEY["SALT"], master(seed * 3, salt))
    if mki:
        data += attr(KEY["MKI"], mki)
    for ssrc, rtp, rtcp in streams:
        data += attr(KEY["STREAM"],
                     attr(STREAM["SSRC"], struct.pack("I", ssrc)) +
                     attr(STREAM["RTP"], struct.pack("Q", rtp)) +
                     attr(STREAM["RTCP"], struct.pack("I", rtcp)), True)
    return attr(A[name], data, True)


def name(ident, owner=7):
    return u64("OWNER", owner) + u64("ID", ident)


def stats(message):
    """{name: count} of what is not zero."""
    nest = parse(dict(parse(message))[A["STATS"]])
    values = {k: struct.unpack("Q", v)[0] for k, v in nest if len(v) == 8}
    return {n[len("NF_SRTP_STAT_"):]: values[i] for n, i in STAT.items()
            if values.get(i)}


def rtp(seq, ssrc=0x11223344, n=160, pt=0):
    return struct.pack(">BBHII", 0x80, pt, seq & 65535,
                       seq * 160 & 0xffffffff, ssrc) + \
        bytes((seq + i) & 255 for i in range(n))


def rtcp(ssrc=0x11223344):
    return struct.pack(">BBHI", 0x80, 201, 1, ssrc)


class Family:
    """A netlink socket and the family's numbers."""

    def __init__(self, room=65536):
        """room: bytes it has for a message."""
        self.room = room
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENL)
        self.sock.bind((0, 0))
        self.sock.setsockopt(270, 11, 1)  # SOL_NETLINK, NETLINK_EXT_ACK
        self.sock.settimeout(120)
        self.seq = 0
        answer = self._call(CTRL, GETFAMILY, attr(2, b"nf_srtp\0"), ACK)[0]
        for kind, data in parse(answer):
            if kind == 1:
                self.number = struct.unpack("H", data)[0]
            if kind == 7:
                group = dict(parse(parse(data)[0][1]))
                self.group = struct.unpack("I", group[2])[0]

    def listen(self):
        self.sock.setsockopt(270, 1, self.group)

    def forget(self):
        """What was told until now."""
        self.sock.settimeout(0)
        try:
            while True:
                self.sock.recv(65536)
        except BlockingIOError:
            pass

    def events(self, *wanted):
        """What is told until all of (event, ID) have been: [{...}]."""
        out = []
        self.sock.settimeout(60)
        while not set(wanted) <= {(e["EVENT"], e.get("ID")) for e in out}:
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return out
            got = dict(parse(data[20:]))
            kind = struct.unpack("I", got[A["EVENT"]])[0]
            e = {"EVENT": next(n[14:] for n, i in EVENT.items() if i == kind)}
            for n, i in A.items():
                if i in got and len(got[i]) in (4, 8) and n != "EVENT":
                    e[n] = int.from_bytes(got[i], "little")
            out.append(e)
        return out

    def _call(self, family, cmd, payload, flags):
        self.seq += 1
        self.sock.send(struct.pack("IHHII", 20 + len(payload), family,
                                   REQUEST | flags, self.seq, 0) +
                       struct.pack("BBH", cmd, 1, 0) + payload)
        out = []
        while True:
            data = self.sock.recv(self.room)
            while data:
                n, kind, flag, _, _ = struct.unpack("IHHII", data[:16])
                if kind == 2:
                    self._raise(data[:n], flag)
                    return out
                if kind == 3:
                    return out
                out.append(data[20:n])
                data = data[(n + 3) & ~3:]

    @staticmethod
    def _raise(data, flag):
        error, n = struct.unpack("iI", data[16:24])
        if not error:
            return
        at = 20 + (16 if flag & 0x100 else n)
        text = dict(parse(data[(at + 3) & ~3:])).get(1, b"")
        raise OSError(-error, text.rstrip(b"\0").decode())

    def do(self, cmd, payload=b"", flags=ACK):
        return self._call(self.number, CMD[cmd], payload, flags)
