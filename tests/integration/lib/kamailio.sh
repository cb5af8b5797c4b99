# The unchanged call manager: Debian's kamailio as registrar and proxy, plain
# UDP and TCP on its own address; it knows nothing of TLS or SRTP.

# kamailio_start [NAME ADDRESS]: in namespace cm; ready when it listens. What
# KAMAILIO_PARAMS holds stands behind its modules, KAMAILIO_AUTH before
# registrations and calls in its script; KAMAILIO_NS: another namespace.
kamailio_start() {
	local name=${1:-kamailio} addr=${2:-$CM} ns=${KAMAILIO_NS:-cm}
	mkdir -p "$DIR/$name"
	cat >"$DIR/$name/kamailio.cfg" <<CFG
#!KAMAILIO
debug=2
log_stderror=yes
children=2
tcp_children=2
disable_sctp=yes
auto_aliases=no
listen=udp:$addr:5060
listen=tcp:$addr:5060
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/kamailio/modules/:/usr/lib/$(uname -m)-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "kex.so"
loadmodule "ctl.so"
loadmodule "auth.so"
${KAMAILIO_PARAMS:-}
modparam("ctl", "binrpc", "unix:$DIR/$name/ctl")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 3600)
modparam("registrar", "gruu_enabled", 0)
modparam("tm", "fr_timer", 10000)

request_route {
	if (!mf_process_maxfwd_header("10")) {
		sl_send_reply("483", "Too Many Hops");
		exit;
	}
	if (is_method("CANCEL")) {
		if (t_check_trans()) t_relay();
		exit;
	}
	if (has_totag()) {
		if (loose_route()) {
			t_relay();
			exit;
		}
		if (is_method("ACK")) {
			if (t_check_trans()) t_relay();
			exit;
		}
		sl_send_reply("404", "Not Here");
		exit;
	}
	t_check_trans();
${KAMAILIO_AUTH:-}
	if (is_method("REGISTER")) {
		if (!save("location")) sl_reply_error();
		exit;
	}
	if (is_method("OPTIONS") && \$rU == \$null) {
		sl_send_reply("200", "OK");
		exit;
	}
	record_route();
	if (\$rU == "9100") {
		\$du = "sip:$CM:5090";
		t_relay();
		exit;
	}
	if (\$rU =~ "^44") { # phones of the call manager that speaks Skinny
		\$du = "sip:$CM:5070";
		t_relay();
		exit;
	}
	if (!lookup("location")) {
		sl_send_reply("404", "Not Found");
		exit;
	}
	if (!t_relay()) sl_reply_error();
}
CFG
	spawn "$name" "$ns" /usr/sbin/kamailio -DD -E -m 64 -M 8 \
		-P "$DIR/$name/pid" -Y "$DIR/$name" \
		-f "$DIR/$name/kamailio.cfg"
	wait_for 15 "$name listens" listens "$ns" u "$addr:5060" ||
		{ tail "$DIR/log/$name" >&2; return 1; }
}

# kamailio_users NAME: what is registered there
kamailio_users() { kamcmd -s "unix:$DIR/$1/ctl" ul.dump; }
