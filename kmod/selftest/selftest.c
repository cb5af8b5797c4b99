// SPDX-License-Identifier: GPL-2.0
#ifdef __KERNEL__
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/bottom_half.h>
#include <linux/kernel.h>
#endif

#include "../driver.h"
#include "../srtp.h"
#include "selftest.h"

enum { BUF = 256, PAYLOAD = 160 };

/* Room for every test; they take turns. */
struct nf_srtp_bench {
	int passed;
	bool failed;
	struct nf_srtp_session session;
	struct nf_srtp_key_state in;
	struct nf_srtp_key_state out;
	struct nf_srtp_window window;
	u8 buf[BUF];
	u8 want[BUF];
	u8 copy[BUF];
};

static u32 nf_srtp_unhex(const char *hex, u8 *to)
{
	u32 len = strlen(hex) / 2;

	return hex2bin(to, hex, len) ? 0 : len;
}

static void nf_srtp_expect(struct nf_srtp_bench *b, const char *what, int row,
			   bool is_good)
{
	if (is_good) {
		b->passed++;
		return;
	}
	b->failed = true;
	pr_err("test failed: %s, row %d\n", what, row);
}

/* --- ciphers ------------------------------------------------------------------ */

/* RFC 3711 appendix B.3, RFC 6188 section 7.2 */
static const struct {
	u32 suite;
	const char *master;
	const char *master_salt;
	const char *key;
	const char *salt;
	const char *auth;
} nf_srtp_kdf[] = {
	{NF_SRTP_SUITE_AES_CM_128_HMAC_SHA1_80,
	 "e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6",
	 "c61e7a93744f39ee10734afe3ff7a087", "30cbbc08863d8c85d49db34a9ae1",
	 "cebe321f6ff7716b6fd4ab49af256a156d38baa4"},
	{NF_SRTP_SUITE_AES_256_CM_HMAC_SHA1_80,
	 "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
	 "3b04803de51ee7c96423ab5b78d2",
	 "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
	 "fa31791685ca444a9e07c6c64e93",
	 "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"},
};

static void nf_srtp_test_kdf(struct nf_srtp_bench *b)
{
	u8 key[NF_SRTP_KEY_BYTES], salt[NF_SRTP_SALT_BYTES];
	const struct nf_srtp_suite_row *suite;
	u32 i, len;

	for (i = 0; i < ARRAY_SIZE(nf_srtp_kdf); i++) {
		suite = nf_srtp_suite_find(nf_srtp_kdf[i].suite);
		if (!suite)
			continue;
		nf_srtp_unhex(nf_srtp_kdf[i].master, key);
		nf_srtp_unhex(nf_srtp_kdf[i].master_salt, salt);
		nf_srtp_derive(suite, key, salt, 0, b->buf, suite->key_len);
		len = nf_srtp_unhex(nf_srtp_kdf[i].key, b->want);
		nf_srtp_expect(b, "session key", i,
			       !memcmp(b->buf, b->want, len));
		nf_srtp_derive(suite, key, salt, 1, b->buf, NF_SRTP_SHA1_BYTES);
		len = nf_srtp_unhex(nf_srtp_kdf[i].auth, b->want);
		nf_srtp_expect(b, "session authentication key", i,
			       !memcmp(b->buf, b->want, len));
		nf_srtp_derive(suite, key, salt, 2, b->buf, suite->salt_len);
		len = nf_srtp_unhex(nf_srtp_kdf[i].salt, b->want);
		nf_srtp_expect(b, "session salt", i,
			       !memcmp(b->buf, b->want, len));
	}
}

/* A session under a key that a vector gives. */
static bool nf_srtp_session_of(struct nf_srtp_bench *b, bool is_aead,
			       const char *key, const char *salt)
{
	struct nf_srtp_session *s = &b->session;

	memset(s, 0, sizeof(*s));
	s->is_aead = is_aead;
	s->key_len = nf_srtp_unhex(key, s->key);
	nf_srtp_unhex(salt, s->salt);
	return !nf_srtp_driver_alloc(is_aead, s->key, s->key_len, &s->tfm);
}

/* RFC 3711 appendix B.2, RFC 6188 section 7.1 */
static const char *const nf_srtp_ctr_vectors[][3] = {
	{"2b7e151628aed2a6abf7158809cf4f3c", "f0f1f2f3f4f5f6f7f8f9fafbfcfd",
	 "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0"},
	{"57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
	 "f0f1f2f3f4f5f6f7f8f9fafbfcfd",
	 "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac63c4868b7096d88421b563b8c94c9a31"},
};

static void nf_srtp_test_ctr(struct nf_srtp_bench *b)
{
	u32 i, len;

	for (i = 0; i < ARRAY_SIZE(nf_srtp_ctr_vectors); i++) {
		if (!nf_srtp_session_of(b, false, nf_srtp_ctr_vectors[i][0],
					nf_srtp_ctr_vectors[i][1])) {
			nf_srtp_expect(b, "AES-CM driver", i, false);
			continue;
		}
		len = nf_srtp_unhex(nf_srtp_ctr_vectors[i][2], b->want);
		memset(b->buf, 0, len);
		local_bh_disable();
		nf_srtp_session_ctr(&b->session, 0, 0, b->buf, len);
		local_bh_enable();
		nf_srtp_expect(b, "AES-CM keystream", i,
			       !memcmp(b->buf, b->want, len));
		nf_srtp_session_done(&b->session);
	}
}

/* RFC 2202, test cases 1 and 3 */
static const char *const nf_srtp_mac_vectors[][3] = {
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	 "b617318655057264e28bc0b6fb378c8ef146be00"},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
	 "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
};

static void nf_srtp_mac(struct nf_srtp_bench *b, u32 len, u8 *mac)
{
	local_bh_disable();
	nf_srtp_session_mac(&b->session, b->buf, len, mac);
	local_bh_enable();
}

static void nf_srtp_test_mac(struct nf_srtp_bench *b)
{
	struct nf_srtp_session *s = &b->session;
	u8 key[NF_SRTP_SHA1_BYTES], mac[NF_SRTP_SHA1_BYTES];
	bool is_same = true;
	u32 i, len;

	for (i = 0; i < ARRAY_SIZE(nf_srtp_mac_vectors); i++) {
		nf_srtp_unhex(nf_srtp_mac_vectors[i][0], key);
		nf_srtp_soft_mac_key(key, sizeof(key), s->inner, s->outer);
		len = nf_srtp_unhex(nf_srtp_mac_vectors[i][1], b->buf);
		nf_srtp_unhex(nf_srtp_mac_vectors[i][2], b->want);
		nf_srtp_mac(b, len, mac);
		nf_srtp_expect(b, "HMAC-SHA1", i,
			       !memcmp(mac, b->want, sizeof(mac)));
	}
	/* Every length there is of a last block. */
	for (len = 0; len < BUF; len++) {
		b->buf[len] = len;
		nf_srtp_mac(b, len, mac);
		nf_srtp_soft_mac(s->inner, s->outer, b->buf, len, b->want);
		is_same &= !memcmp(mac, b->want, sizeof(mac));
	}
	nf_srtp_expect(b, "HMAC-SHA1 of all lengths", 0, is_same);
}

/* RFC 7714 sections 16.1.1 and 16.2.1: RTP; the tag is behind. */
static const char *const nf_srtp_gcm_vectors[][2] = {
	{"000102030405060708090a0b0c0d0e0f",
	 "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce"},
	{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	 "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13"},
};

static const char nf_srtp_gcm_plain[] =
	"8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";

static void nf_srtp_test_gcm_row(struct nf_srtp_bench *b, int row)
{
	u32 plain_len = nf_srtp_unhex(nf_srtp_gcm_plain, b->buf);
	u32 len = nf_srtp_unhex(nf_srtp_gcm_vectors[row][1], b->want);
	struct nf_srtp_piece p = {b->buf, NF_SRTP_RTP_MIN,
				  plain_len - NF_SRTP_RTP_MIN};
	bool kept, opened, refused;

	local_bh_disable();
	nf_srtp_session_seal(&b->session, 0x5501a0b2, 0xf17b, &p);
	nf_srtp_expect(b, "AES-GCM seal", row, !memcmp(b->buf, b->want, len));
	kept = !nf_srtp_session_open(&b->session, 0x5501a0b2, 0xf17b, &p, true,
				     false);
	kept &= !memcmp(b->buf, b->want, len);
	nf_srtp_expect(b, "AES-GCM check", row, kept);
	b->buf[len - 1] ^= 1;
	refused = nf_srtp_session_open(&b->session, 0x5501a0b2, 0xf17b, &p,
				       false, true) == NF_SRTP_STAT_AUTH_FAIL;
	b->buf[len - 1] ^= 1;
	refused &= !memcmp(b->buf, b->want, len);
	nf_srtp_expect(b, "AES-GCM refuse", row, refused);
	opened = !nf_srtp_session_open(&b->session, 0x5501a0b2, 0xf17b, &p,
				       false, row);
	local_bh_enable();
	nf_srtp_unhex(nf_srtp_gcm_plain, b->want);
	nf_srtp_expect(b, "AES-GCM open", row,
		       opened && !memcmp(b->buf, b->want, plain_len));
}

static void nf_srtp_test_gcm(struct nf_srtp_bench *b)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(nf_srtp_gcm_vectors); i++) {
		if (nf_srtp_session_of(b, true, nf_srtp_gcm_vectors[i][0],
				       "517569642070726f2071756f"))
			nf_srtp_test_gcm_row(b, i);
		else
			nf_srtp_expect(b, "AES-GCM driver", i, false);
		nf_srtp_session_done(&b->session);
	}
}

/* --- window and roll-over ------------------------------------------------------- */

/* In order: an index, and whether it may pass. */
static const struct {
	u64 index;
	bool may;
} nf_srtp_window_rows[] = {
	{5, true},	{5, false},    {7, true},      {6, true},
	{6, false},	{7, false},    {0, true},      {1023, true},
	{1024, true},	{1, true},     {0, false},     {1025, true},
	{1, false},	{2, true},     {2000, true},   {976, false},
	{977, true},	{1999, true},  {65535, true},  {65536, true},
	{65535, false}, {64513, true}, {64512, false}, {64513, false},
};

static void nf_srtp_test_window(struct nf_srtp_bench *b)
{
	struct nf_srtp_window *w = &b->window;
	bool may;
	u32 i;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < ARRAY_SIZE(nf_srtp_window_rows); i++) {
		may = nf_srtp_index_test(w, nf_srtp_window_rows[i].index);
		nf_srtp_expect(b, "replay window", i,
			       may == nf_srtp_window_rows[i].may);
		if (may)
			nf_srtp_index_commit(w, nf_srtp_window_rows[i].index);
	}
	nf_srtp_index_resume(w, 1ull << 32);
	nf_srtp_expect(b, "resumed window", 0,
		       !nf_srtp_index_test(w, (1ull << 32) - 1) &&
			       nf_srtp_index_test(w, 1ull << 32));
}

/* Sequence numbers as they arrive around two roll-overs, and their indices
 * (RFC 3711 appendix A).
 */
static const struct {
	u16 seq;
	u64 index;
} nf_srtp_guess_rows[] = {
	{65530, 0xfffa},  {65532, 0xfffc},  {65531, 0xfffb}, {1, 0x10001},
	{65535, 0xffff},  {0, 0x10000},	    {3, 0x10003},    {65534, 0xfffe},
	{32000, 0x17d00}, {64000, 0x1fa00}, {2, 0x20002},    {65000, 0x1fde8},
	{3, 0x20003},
};

static void nf_srtp_test_guess(struct nf_srtp_bench *b)
{
	struct nf_srtp_window *w = &b->window;
	u64 index;
	u32 i;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < ARRAY_SIZE(nf_srtp_guess_rows); i++) {
		index = nf_srtp_index_guess(w, nf_srtp_guess_rows[i].seq);
		nf_srtp_expect(b, "roll-over", i,
			       index == nf_srtp_guess_rows[i].index);
		nf_srtp_index_commit(w, index);
	}
}

/* --- packets --------------------------------------------------------------------- */

static void nf_srtp_make(struct nf_srtp_bench *b, struct nf_srtp_packet *p,
			 bool is_rtcp, u16 seq)
{
	u32 i;

	for (i = 0; i < NF_SRTP_RTP_MIN + PAYLOAD; i++)
		b->buf[i] = i * 7 + seq;
	b->buf[0] = 0x80;
	b->buf[1] = is_rtcp ? 201 : 0;
	b->buf[2] = is_rtcp ? 0 : seq >> 8;
	b->buf[3] = is_rtcp ? (NF_SRTP_RTP_MIN + PAYLOAD) / 4 - 1 : seq;
	memset(b->buf + 4, 0x5a, 8);
	memcpy(b->copy, b->buf, BUF);
	p->data = b->buf;
	p->len = NF_SRTP_RTP_MIN + PAYLOAD;
	p->cap = BUF;
	p->is_rtcp = is_rtcp;
}

/* There and back; anything changed on the way is noticed, and changes nothing;
 * nothing passes twice. refuse: as if the vector unit were busy.
 */
static bool nf_srtp_round_trip(struct nf_srtp_bench *b, bool is_rtcp, u16 seq,
			       bool refuse)
{
	struct nf_srtp_packet p = {0};
	u32 len;

	nf_srtp_make(b, &p, is_rtcp, seq);
	if (!nf_srtp_parse(&p) || nf_srtp_protect(&b->out, &p))
		return false;
	len = p.len;
	nf_srtp_driver_refuse(refuse);
	b->buf[len / 2] ^= 4;
	if (nf_srtp_unprotect(&b->in, &p, true, true) != NF_SRTP_STAT_AUTH_FAIL)
		return false;
	b->buf[len / 2] ^= 4;
	memcpy(b->want, b->buf, len);
	if (nf_srtp_unprotect(&b->in, &p, false, seq & 1) ||
	    p.len != NF_SRTP_RTP_MIN + PAYLOAD ||
	    memcmp(b->buf, b->copy, p.len))
		return false;
	memcpy(b->buf, b->want, len);
	p.len = len;
	return nf_srtp_unprotect(&b->in, &p, false, false) ==
	       NF_SRTP_STAT_REPLAY;
}

static void nf_srtp_test_suite(struct nf_srtp_bench *b, u32 suite)
{
	struct nf_srtp_master m = {.suite = suite, .mki_len = suite % 3};
	bool is_good = true;
	u32 i;

	for (i = 0; i < sizeof(m.key); i++)
		m.key[i] = suite * 16 + i;
	m.mki[0] = 9;
	if (nf_srtp_key_init(&b->in, &m)) {
		nf_srtp_expect(b, "keys of suite", suite, false);
		return;
	}
	if (nf_srtp_key_init(&b->out, &m)) {
		nf_srtp_key_done(&b->in);
		nf_srtp_expect(b, "keys of suite", suite, false);
		return;
	}
	local_bh_disable();
	for (i = 0; i < 12; i++) {
		is_good &= nf_srtp_round_trip(b, false, 65530 + i, i & 2);
		nf_srtp_driver_refuse(false);
		is_good &= nf_srtp_round_trip(b, true, i, i & 2);
		nf_srtp_driver_refuse(i & 1);
	}
	nf_srtp_driver_refuse(false);
	local_bh_enable();
	nf_srtp_expect(b, "packets of suite", suite, is_good);
	nf_srtp_expect(b, "index of suite", suite,
		       b->in.first.rtp.next == 65530 + 12 &&
			       b->out.first.rtp.next == 65530 + 12 &&
			       b->in.first.rtcp.next == 13);
	nf_srtp_key_done(&b->in);
	nf_srtp_key_done(&b->out);
}

int nf_srtp_selftest(void)
{
	struct nf_srtp_bench *b = kzalloc(sizeof(*b), GFP_KERNEL);
	u32 suite;
	int ret;

	if (!b)
		return -ENOMEM;
	nf_srtp_test_kdf(b);
	nf_srtp_test_ctr(b);
	nf_srtp_test_mac(b);
	nf_srtp_test_gcm(b);
	nf_srtp_test_window(b);
	nf_srtp_test_guess(b);
	for (suite = 1; suite <= NF_SRTP_SUITE_MAX; suite++)
		nf_srtp_test_suite(b, suite);
	ret = b->failed ? -EINVAL : b->passed;
	kfree_sensitive(b);
	return ret;
}
