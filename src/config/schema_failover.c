/* Options of the section failover. */
#include "config/rows.h"

#define FAILOVER(member, key, dflt, least, most, ...)                        \
	CONFIG_ROW(config_failover, member, key, UINT, dflt, .min = (least), \
		   .max = (most), __VA_ARGS__)

const struct config_option config_failover_rows[CONFIG_FAILOVER_ROWS] = {
	FAILOVER(options_interval_s, "options-interval", "30", 0, 3600,
		 .unit = "seconds",
		 .text = "How often each call manager is asked by OPTIONS "
			 "whether it is there; 0 asks never."),
	FAILOVER(failures, "failures", "3", 1, 100,
		 .text = "So many requests in a row without an answer, or "
			 "REGISTER and OPTIONS answered 503, and a call "
			 "manager is down. After the first it is asked every "
			 "second. A 503 to other requests may be that of "
			 "somebody behind it; it is asked at once then."),
	FAILOVER(successes, "successes", "2", 1, 100,
		 .text = "So many answered OPTIONS in a row, and it is up "
			 "again."),
	FAILOVER(hold_down_s, "hold-down", "60", 0, 86400, .unit = "seconds",
		 .text = "A call manager that came up again is preferred to "
			 "one of a higher priority number only after this "
			 "time; the time doubles, up to sixteen times, when it "
			 "goes down again soon."),
	FAILOVER(try_timeout_ms, "try-timeout", "4000", 100, 32000,
		 .unit = "milliseconds",
		 .text = "A request that has no answer at all after this time "
			 "goes to the next call manager, if there is one."),
	FAILOVER(register_rate, "register-rate", "200", 1, 100000,
		 .unit = "registrations per second",
		 .text = "Pace at which a worker makes registrations anew at "
			 "another call manager; what their phones subscribed "
			 "to ends with that, and they begin it anew."),
	FAILOVER(datagram_max, "datagram-max", "1300", 512, 65000,
		 .unit = "bytes",
		 .text = "Longest request sent in a datagram to a call "
			 "manager with large-by-tcp."),
};
