# SIPp as a phone: it speaks no TLS, so stunnel stands before it with the
# phone's certificate. Devices of the tests, beside those of phones.sh:
DEV_C=SEP001122334403 USER_C=2003 PASS_C=test-c-secret
DEV_D=SEP001122334404 USER_D=2004 PASS_D=test-d-secret

# sipp_devices: certificates and configuration text (for sallyport_config)
sipp_devices() {
	local d
	for d in "$DEV_C $USER_C" "$DEV_D $USER_D"; do
		set -- $d
		cat <<CFG
device "$1" {
	lines = { "$2" }
	digest = yes
	digest-user = "$2"
	suites = { "AES_CM_128_HMAC_SHA1_80" }
}
CFG
	done
}

sipp_pki() {
	cert "$DEV_C" ca "$DEV_C"
	cert "$DEV_D" ca "$DEV_D"
}

# stunnel_start NAME DEVICE PORT [LISTENER]: 127.0.0.1:PORT in px is TLS to
# Sallyport (port 5061)
stunnel_start() {
	cat >"$DIR/$1.conf" <<CFG
foreground = yes
pid =
debug = notice
[sallyport]
client = yes
accept = 127.0.0.1:$3
connect = $SP_OUT:${4:-5061}
cert = $DIR/pki/$2.crt
key = $DIR/pki/$2.key
CAfile = $DIR/pki/ca.crt
verifyChain = yes
CFG
	spawn "$1" px stunnel4 "$DIR/$1.conf"
	wait_for 10 "stunnel for $2" listens px t "127.0.0.1:$3"
}

# sipp_fields USER PASSWORD TARGET: field0 to field2 of the scenarios
sipp_fields() {
	printf 'SEQUENTIAL\n%s;[authentication username=%s password=%s];%s;\n' \
		"$1" "$1" "$2" "$3"
}

# sipp_run NAME NS SCENARIO USER PASSWORD TARGET ARGUMENT...: to its end, which
# comes within SIPP_LIMIT seconds (50). SCENARIO: of ours, or a path
sipp_run() {
	local name=$1 n=$2 scenario=$3 limit=${SIPP_LIMIT:-50}
	mkdir -p "$DIR/sipp/$name"
	case $scenario in
	/*) ;;
	*) scenario=$LIB/../sipp/$scenario.xml ;;
	esac
	sipp_fields "$4" "$5" "$6" >"$DIR/sipp/$name/fields.csv"
	shift 6
	(
		cd "$DIR/sipp/$name" &&
			TERM=dumb in_ns "$n" timeout "$((limit + 10))" sipp \
				-sf "$scenario" \
				-inf fields.csv -nostdin -trace_err \
				-timeout "$limit" "$@" >out 2>&1 </dev/null
	) && return
	tail -40 "$DIR/sipp/$name"/*errors*.log "$DIR/sipp/$name/out" 2>/dev/null |
		head -60
	return 1
}

# phone_c_registers [PORT]: the whole way, once, by that stunnel; true when it
# worked
phone_c_registers() {
	sipp_run "reg-$RANDOM" px register "$USER_C" "$PASS_C" - -s "$USER_C" \
		-t t1 -m 1 -recv_timeout 5000 "127.0.0.1:${1:-15061}"
}
