#!/bin/bash
# A worker is killed at awkward moments of calls: while a session is being
# refreshed, while a phone is being told another key and lock, and when the phone
# has answered that, but nobody has heard it. The successor asks again, the calls
# go on, and end when somebody ends them. Time is made to pass by starting the
# daemon again in a namespace whose monotonic clock is ahead.
WORKERS=2
. "$(dirname "$0")/lib/test.sh"

DEV_P=SEP001122334411 USER_P=2011
DEV_Q=SEP001122334412 USER_Q=2012
device() {
	printf 'device "%s" {\n\tlines = { "%s" }\n\tsuites = { "AES_CM_128_HMAC_SHA1_80" }\n}\n' \
		"$1" "$2"
}

# --- the daemon ---------------------------------------------------------------
# ahead SECONDS: everything is killed and started again, so much later
ahead() {
	local monitor pids
	monitor=$(cat "$DIR/pid/sallyportd")
	is_ours "$monitor" || return 1
	pids="$monitor $(pgrep -P "$monitor" | tr '\n' ' ')"
	# shellcheck disable=SC2086
	kill -9 $pids || return 1
	mv "$DIR/log/sallyportd" "$DIR/log/sallyportd.before-$1"
	SALLYPORT_AHEAD=$1 sallyport_start
}
call_ids() { ctl --json calls | sed -n 's/.*"id": *\([0-9]*\).*/\1/p'; }
# one of them: the call manager tells the other, where there is one
dropped() {
	ctl drop "$(call_ids | head -1)" || return 1
	wait_for 10 "the calls have ended" no_calls
}

# --- the phones ---------------------------------------------------------------
# phone_start NAME NS ADDRESS DEVICE USER
phone_start() {
	mkfifo "$DIR/$1.in"
	spawn "$1" "$2" sh -c 'exec "$@" <>"$0"' "$DIR/$1.in" \
		"$LIB/phone.pl" "$SP_OUT:5061" "$DIR/pki/$4.crt" \
		"$DIR/pki/$4.key" "$DIR/pki/ca.crt" "$5" "$3"
	wait_for 15 "$1 registers" said "$DIR/log/$1" 0 '^registered'
}
# tell NAME LINE, heard NAME FROM PATTERN [SECONDS]
tell() { printf '%s\n' "$2" >"$DIR/$1.in"; }
heard() {
	wait_for "${4:-10}" "$1: $3" said "$DIR/log/$1" "$2" "$3" && return
	tail -20 "$DIR/log/$1"
	return 1
}
# back NAME FROM: it has a connection to the successor
back() { heard "$1" "$2" '^lost' && heard "$1" "$2" '^registered' 15; }

# the inside phone; stopped it hears, but says nothing
inside_registers() {
	sipp_run inside-reg cm register-plain - - - -s 3001 -t u1 -m 1 \
		-i "$CM" -p 7001 "$CM:5060"
}
inside_start() {
	TERM=dumb spawn inside cm sipp -sf "$LIB/../sipp/uas-refreshed.xml" \
		-t u1 -i "$CM" -p 7001 -m 1 -nostdin -trace_err -trace_msg \
		-message_file "$DIR/log/inside.msg" \
		-error_file "$DIR/log/inside.errors"
	INSIDE_PID=$!
	wait_for 10 "the inside phone listens" listens cm u "$CM:7001"
}
inside_signal() {
	local pid
	pid=$(cat "$DIR/pid/inside")
	is_ours "$pid" && kill "-$1" "$pid"
}
# something waits in its socket
is_asked() {
	[ "$(in_ns cm ss -Hlnu src "$CM:7001" | awk '{ print $2 }')" -gt 0 ]
}
# different requests, not repetitions
updates() {
	grep -a '^CSeq: [0-9]* UPDATE' "$DIR/log/inside.msg" | tr -d '\r' |
		sort -u | wc -l
}
updates_are() { [ "$(updates)" -ge "$1" ]; }
inside_is_done() {
	wait "$INSIDE_PID" || { cat "$DIR/log/inside.errors"; return 1; }
}

needs net_begin sp-awkward
needs sallyport_pki
needs cert "$DEV_P" ca "$DEV_P"
needs cert "$DEV_Q" ca "$DEV_Q"
needs sallyport_config "sip { session-expires = 90 }" \
	"$(device "$DEV_P" "$USER_P"; device "$DEV_Q" "$USER_Q")"
needs kamailio_start
needs sallyport_start
# phones of two workers
P_WORKER=$(worker_of "$PHONE_X") Q_NS=pa Q_AT=$PHONE_A
[ "$(worker_of "$PHONE_A")" != "$P_WORKER" ] || Q_NS=pb Q_AT=$PHONE_B
needs test "$(worker_of "$Q_AT")" != "$P_WORKER"
needs inside_registers
needs inside_start
needs phone_start p px "$PHONE_X" "$DEV_P" "$USER_P"
needs phone_start q "$Q_NS" "$Q_AT" "$DEV_Q" "$USER_Q"

# --- a refresh under way --------------------------------------------------------
p_calls() {
	local from
	from=$(lines "$DIR/log/p")
	tell p "call $1"
	heard p "$from" '^up' && wait_for 10 "it is up" calls_up "$2"
}
# Neither will answer what it is asked when the daemon is there again.
half_is_over() {
	local from
	from=$(lines "$DIR/log/p")
	tell p mute
	inside_signal STOP || return 1
	sleep 0.5 # what is younger than 0.2 s may be lost
	ahead 42 && back p "$from" && calls_up 1
}
refresh_dies() {
	local from
	wait_for 20 "the inside phone is refreshed" is_asked || return 1
	heard p 0 '^asked UPDATE' 20 || return 1
	from=$(lines "$DIR/log/p")
	killed "worker=$P_WORKER" && inside_signal CONT && back p "$from" &&
		heard p "$from" '^asked UPDATE' 20 && tell p speak &&
		heard p "$from" '^answered UPDATE'
}
is_true "a phone calls an inside phone" p_calls 3001 1
is_true "half of the session is over, all processes were killed: it is up" \
	half_is_over
is_true "the worker dies while it refreshes both: the phone is asked again" \
	refresh_dies
is_true "and so is the inside phone" \
	wait_for 10 "another UPDATE" updates_are 2
session_is_over() {
	local from
	from=$(lines "$DIR/log/p")
	sleep 0.5
	ahead 64 && back p "$from" && calls_up 1
}
is_true "the time at which it would have ended is over: it is up" session_is_over
is_true "it ends when somebody ends it" dropped
is_true "the inside phone saw it all" inside_is_done

# --- another key and lock under way ------------------------------------------------
are_encrypted() {
	[ "$(ctl --json calls | grep -c '"security": *"Encrypted"')" = 2 ]
}
are_end_to_end() {
	[ "$(ctl --json calls | grep -c '"end-to-end": *true')" = 2 ]
}
settled() {
	wait_for 15 "both are encrypted" are_encrypted &&
		wait_for 15 "each has the other's key" are_end_to_end && return
	ctl --json calls
	return 1
}
lock_dies() {
	local from
	from=$(lines "$DIR/log/p")
	tell p mute
	tell p "call $USER_Q"
	heard p "$from" '^up' &&
		heard p "$from" '^asked .*security=Encrypted' || return 1
	sleep 0.5 # until the call is saved
	from=$(lines "$DIR/log/p")
	killed "worker=$P_WORKER" && back p "$from" &&
		heard p "$from" '^asked .*security=Encrypted' && tell p speak &&
		heard p "$from" '^answered' && settled
}
is_true "the worker dies while the phone is told a lock and a key: told again" \
	lock_dies
is_true "that call ends" dropped
# The phone's answer waits in the socket of a worker that hears nothing.
answer_dies() {
	local from pid
	from=$(lines "$DIR/log/p")
	tell p mute
	tell p "call $USER_Q"
	heard p "$from" '^up' &&
		heard p "$from" '^asked .*security=Encrypted' || return 1
	sleep 0.5
	pid=$(role_pid "worker=$P_WORKER")
	is_ours "$pid" && kill -STOP "$pid" || return 1
	tell p speak
	heard p "$from" '^answered' || return 1
	from=$(lines "$DIR/log/p")
	killed "worker=$P_WORKER" && back p "$from" &&
		heard p "$from" '^answered' && settled
}
is_true "the worker dies with the phone's answer: both agree again" answer_dies
is_true "that call ends, too" dropped
nothing_is_left() {
	ctl --json status | finds '"calls": *0' || { ctl --json status; return 1; }
}
is_true "nothing is left" nothing_is_left
test_end
