/* Options of the section limits. */
#include "config/rows.h"

#define LIMIT(member, key, dflt, least, most, ...)                         \
	CONFIG_ROW(config_limits, member, key, UINT, dflt, .min = (least), \
		   .max = (most), __VA_ARGS__)

const struct config_option config_limit_rows[CONFIG_LIMIT_ROWS] = {
	LIMIT(connections, "connections", "20000", 1, CONFIG_CONNECTIONS_MAX,
	      .text = "Connections of phones at once."),
	LIMIT(connections_per_address, "connections-per-address", "1000", 1,
	      1000000,
	      .text = "Connections from one address at once; phones behind one "
		      "translator share it."),
	LIMIT(handshakes, "handshakes", "256", 1, 100000,
	      .text = "Connections of phones at once that have not proved "
		      "who they are; TLS and plain ones are counted apart. "
		      "Further ones wait in the kernel."),
	LIMIT(handshakes_per_address, "handshakes-per-address", "16", 1, 100000,
	      .text = "The same from one address, beyond which they are "
		      "refused; phones behind one translator share it."),
	LIMIT(handshake_timeout_s, "handshake-timeout", "5", 1, 300,
	      .unit = "seconds",
	      .text = "Until a TLS handshake is done, or a connection to the "
		      "call manager is made."),
	LIMIT(first_message_timeout_s, "first-message-timeout", "10", 1, 3600,
	      .unit = "seconds",
	      .text = "Until a new connection has brought a message."),
	LIMIT(message_timeout_s, "message-timeout", "10", 1, 3600,
	      .unit = "seconds",
	      .text = "Until a message that has begun is complete."),
	LIMIT(idle_timeout_s, "idle-timeout", "4000", 10, 604800,
	      .unit = "seconds",
	      .text = "A connection that brings no byte for so long is closed; "
		      "longer than expires-max, or phones that send nothing "
		      "between their registrations lose theirs."),
	LIMIT(output_bytes, "output-bytes", "262144", 16384, 16777216,
	      .unit = "bytes",
	      .text = "What may wait for a peer that does not read; one byte "
		      "more closes its connection."),
	LIMIT(message_rate, "message-rate", "50", 1, 100000,
	      .unit = "messages per second",
	      .text = "Messages taken from one source on average."),
	LIMIT(message_burst, "message-burst", "200", 1, 100000,
	      .unit = "messages",
	      .text = "Messages taken from one source at once."),
	LIMIT(registrations, "registrations", "20000", 1,
	      CONFIG_REGISTRATIONS_MAX, .text = "Registered contacts at once."),
	LIMIT(calls, "calls", "4000", 1, CONFIG_CALLS_MAX,
	      .text = "Calls at once."),
	LIMIT(transactions, "transactions", "20000", 1, 1000000,
	      .text = "SIP transactions at once."),
	LIMIT(subscriptions, "subscriptions", "20000", 1,
	      CONFIG_SUBSCRIPTIONS_MAX,
	      .text = "Subscriptions at once (SUBSCRIBE, and REFER outside of "
		      "calls)."),
	LIMIT(subscriptions_per_device, "subscriptions-per-device", "200", 1,
	      10000,
	      .text = "Subscriptions of one device at once; a phone needs one "
		      "for each lamp that shows another line."),
};
