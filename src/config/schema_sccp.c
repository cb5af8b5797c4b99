/* Options of what speaks Skinny: phones, their call managers and models. */
#include "config/rows.h"

const struct config_option config_sccp_rows[CONFIG_SCCP_ROWS] = {
	CONFIG_ROW(
		config_sccp, version_max, "protocol-version", UINT, "22",
		.min = 3, .max = 22,
		.text = "Newest protocol version that phones may offer a call "
			"manager; a newer offer is lowered to it."),
	CONFIG_ROW(config_sccp, call_rate, "call-rate", UINT, "20", .max = 6000,
		   .unit = "calls per minute",
		   .text = "Calls that one phone may begin; 0 is no limit."),
	CONFIG_ROW(
		config_sccp, fail_back_s, "fail-back", UINT, "60", .max = 86400,
		.unit = "seconds",
		.text = "So long a call manager must be up before phones that "
			"went to a later one of their listener are sent back to "
			"it, when they are idle and a few at a time (Reset). "
			"Twice as long, up to sixteen times, for one that went "
			"down again within ten minutes. 0 leaves them until "
			"they register anew."),
	CONFIG_ROW(
		config_sccp, rules, "rules", TEXTS, "",
		.example = "{ \"drop 0x0049-0x004A\" }",
		.text = "What is done with messages, by their id; the first "
			"that fits counts: allow, drop, log (allow and log) or "
			"rate N (so many a second of each phone, the rest is "
			"dropped), and a number or a range of numbers. "
			"Whatever no rule names is allowed, "
			"within what registration and direction allow."),
};

const struct config_option config_sccp_manager_rows[CONFIG_SCCP_MANAGER_ROWS] = {
	CONFIG_ROW(
		config_sccp_manager, address, "address", REMOTE, NULL,
		.example = "192.0.2.10:2000",
		.text = "Where the call manager takes phones that speak Skinny, "
			"as a rule at port 2000 in the clear and 2443 over TLS. "
			"A host name is looked up (A, or AAAA where "
			"source-addresses are IPv6)."),
	CONFIG_ROW(config_sccp_manager, has_tls, "tls", BOOL, "no",
		   .text = "It is reached over TLS. Media inside stays in the "
			   "clear."),
	CONFIG_ROW(
		config_sccp_manager, certificate, "certificate", PATH, "",
		.words = config_below_base, .example = "",
		.text = "File with our certificate and its chain (PEM), shown "
			"to a call manager over TLS that asks for one."),
	CONFIG_ROW(
		config_sccp_manager, key, "key", PATH, "",
		.words = config_below_base, .example = "",
		.text = "File with the private key of the certificate (PEM). "
			"Only the keys process reads it."),
	CONFIG_ROW(
		config_sccp_manager, trust, "trust", PATH, "call-manager",
		.words = config_below_trust,
		.text = "Directory with the certificates that the certificate "
			"of a call manager over TLS must chain to, below the "
			"directory trust/ unless absolute. Where address is a "
			"host name the certificate must name it too."),
	CONFIG_ROW(
		config_sccp_manager, sources, "source-addresses", TEXTS, "",
		.example = "{ \"192.0.2.1\" }",
		.text = "Our own addresses towards it, used in turn: each "
			"phone has a connection, and one address has ports for "
			"28000. None given is the system's choice."),
};

const struct config_option config_model_rows[CONFIG_MODEL_ROWS] = {
	CONFIG_ROW(
		config_model, digests, "digest-algorithms", DIGESTS, "",
		.example = "{ \"SHA-256\", \"MD5\" }",
		.text = "Algorithms that devices of this model are challenged "
			"with, best first. None stands for digest-algorithms at "
			"the top level."),
	CONFIG_ROW(config_model, type, "type", UINT, "0", .max = 1000000,
		   .text = "Number of the model as phones register it."),
	CONFIG_ROW(config_model, encrypts, "encrypts", BOOL, "yes",
		   .text = "It does SRTP. no: its calls are in the clear, or "
			   "refused where media = srtp-required."),
	CONFIG_ROW(
		config_model, suites, "suites", SUITES, "",
		.example = "{ \"AES_CM_128_HMAC_SHA1_32\" }",
		.text = "SRTP suites that it knows, best first, for its devices "
			"whose suites are not given; none stands for those of "
			"the device."),
	CONFIG_ROW(config_model, refuses_barge, "refuses-barge", BOOL, "no",
		   .text = "Nobody can barge into an encrypted call of it: the "
			   "second channel is refused."),
	CONFIG_ROW(
		config_model, loses_wideband, "loses-wideband", BOOL, "no",
		.text = "Where it encrypts its wideband codec is kept from the "
			"call manager."),
};
