#!/bin/bash
# The call manager challenges registrations (401) and calls (407): Sallyport
# answers with the credentials of the realm, and the phones hear nothing of it.
. "$(dirname "$0")/lib/test.sh"

REALM=pbx.realm SECRET=core-secret
KAMAILIO_PARAMS='loadmodule "xlog.so"
modparam("auth", "add_authinfo_hdr", 1)'
# shellcheck disable=SC2016
KAMAILIO_AUTH='
	if (is_method("REGISTER")) {
		if (!pv_www_authenticate("'$REALM'", "'$SECRET'", "0")) {
			xlog("L_NOTICE", "challenged $rm\n");
			www_challenge("'$REALM'", "1");
			exit;
		}
	} else if (is_method("INVITE")) {
		if (!pv_proxy_authenticate("'$REALM'", "'$SECRET'", "0")) {
			xlog("L_NOTICE", "challenged $rm\n");
			proxy_challenge("'$REALM'", "1");
			exit;
		}
		consume_credentials();
	}'

needs net_begin sp-realm
needs sallyport_pki
needs sipp_pki
needs sallyport_config "" "$(sipp_devices)"
needs kamailio_start
needs sallyport_start
for u in "$USER_A $PASS_A" "$USER_B $PASS_B" "$USER_C $PASS_C"; do
	# shellcheck disable=SC2086
	needs sallyport_user $u
done
needs stunnel_start stunnel-c "$DEV_C" 15061

# realm_add PASSWORD
realm_add() {
	printf '%s\n' "$1" | ctl realm add "$REALM" --user sallyport
}
c_is_refused() { ! phone_c_registers >/dev/null; }

is_true "without credentials of the realm nobody registers" c_is_refused
needs realm_add wrong
is_true "nor with a wrong password" c_is_refused
is_true "which is logged" grep -q \
	'reason="the credentials were refused" realm="'$REALM'"' \
	"$DIR/log/sallyportd"
needs realm_add "$SECRET"
listed() { ctl realm list | finds "^$REALM" && ! ctl user list | finds '@'; }
is_true "the realm is listed, apart from the users" listed
hidden() {
	! grep -qa "$SECRET" "$DIR/state"/* "$DIR/log/sallyportd" &&
		! ctl --json realm list | finds "$SECRET"
}
is_true "its password is to be seen nowhere" hidden
is_true "with it a phone registers" phone_c_registers
needs baresip_start
needs linphone_start
is_true "real phones register" wait_for 20 "both" \
	eval 'registered "$DEV_A" && registered "$DEV_B"'
is_true "and call each other through a call manager that says 407" call_a_to_b
is_true "the call ends on both sides" call_end
# Each answer of kamailio has told a nonce for the next request.
challenges() { grep -c "challenged $1" "$DIR/log/kamailio"; }
unasked() {
	local before
	before=$(challenges REGISTER)
	phone_c_registers && phone_c_registers &&
		[ "$before" -gt 0 ] && [ "$(challenges REGISTER)" = "$before" ]
}
is_true "the nonce it told spares the next registrations a challenge" unasked
again() { call_a_to_b && call_end; }
is_true "calls go on being challenged and answered" again
needs ctl realm delete "$REALM"
is_true "without the realm it is as before" c_is_refused
gone() { ! ctl realm delete "$REALM"; }
is_true "what is not there cannot be deleted" gone
test_end
