# Two real phones: baresip in namespace pa, linphonec in namespace pb. Each
# holds a client certificate whose CN is its device name, speaks TLS to
# $SP_OUT:5061 only and insists on SDES-SRTP.

DEV_A=SEP001122334401 USER_A=2001 PASS_A=demo-$RANDOM$RANDOM
DEV_B=SEP001122334402 USER_B=2002 PASS_B=demo-$RANDOM$RANDOM

# phone_tone FILE HZ: 8 kHz mono, 16 bit, $TONE_S s of a tone with a slow beat;
# two phones with different tones have different payloads. baresip hangs up at
# its end.
phone_tone() {
	LC_ALL=C awk -v hz="$2" -v seconds="${TONE_S:-20}" 'function le(v, n) {
		while (n-- > 0) { printf "%c", v % 256; v = int(v / 256) } }
	BEGIN { rate = 8000; n = seconds * rate
		printf "RIFF"; le(36 + 2 * n, 4); printf "WAVEfmt "
		le(16, 4); le(1, 2); le(1, 2); le(rate, 4); le(2 * rate, 4)
		le(2, 2); le(16, 2); printf "data"; le(2 * n, 4)
		for (i = 0; i < n; i++) {
			t = 6.28318530718 * i / rate
			v = int(9000 * sin(hz * t) * (1.2 + sin(1.7 * t)) / 2)
			le(v < 0 ? v + 65536 : v, 2)
		} }' >"$1"
}

# baresip_start [SUITE]: registers by itself; commands through ctrl_tcp
baresip_start() {
	local d=$DIR/baresip
	mkdir -p "$d"
	phone_tone "$d/tone.wav" 440
	cat >"$d/config" <<CFG
sip_listen $PHONE_A:5060
sip_certificate $DIR/pki/$DEV_A.pem
sip_cafile $DIR/pki/ca.crt
net_interface eth0
audio_source aufile,$d/tone.wav
audio_player aubridge,null
audio_alert aubridge,alert
rtp_ports 20100-20150
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module srtp.so
module ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:4444
module_tmp uuid.so
module_tmp account.so
module_app menu.so
CFG
	cat >"$d/accounts" <<CFG
<sip:$USER_A@$SP_OUT;transport=tls>;outbound="sip:$SP_OUT:5061;transport=tls";auth_user=$USER_A;auth_pass=$PASS_A;regint=60;mediaenc=srtp-mand;audio_codecs=PCMU;ptime=20;answermode=manual
CFG
	HOME=$d spawn baresip pa baresip -4 -s -f "$d"
	wait_for 10 "baresip listens for commands" \
		listens pa t 127.0.0.1:4444
}

# baresip_cmd COMMAND [PARAMS]: one command; its answer on stdout
baresip_cmd() {
	local json="{\"command\":\"$1\",\"params\":\"${2:-}\"}"
	in_ns pa bash -c 'exec 3<>/dev/tcp/127.0.0.1/4444
		printf "%d:%s," "${#1}" "$1" >&3
		timeout 0.5 cat <&3 || true' - "$json"
}

# linphone_phone NAME NS ADDRESS DEVICE USER PASSWORD [NUMBER]: a linphonec in
# namespace NS, which registers; commands through phone_cmd NAME, its files in
# $DIR/NAME. NUMBER: several have different tones and ports.
linphone_phone() {
	local d=$DIR/$1 name=$1 n=$2 address=$3 device=$4 user=$5 pass=$6
	local number=${7:-0}
	mkdir -p "$d/.local/share/linphone"
	phone_tone "$d/tone.wav" $((880 + 150 * number))
	cat >"$d/rc" <<CFG
[sip]
sip_port=-1
sip_tcp_port=-1
sip_tls_port=$((5071 + number))
bind_address=$address
media_encryption=srtp
media_encryption_mandatory=1
root_ca=$DIR/pki/ca.crt
verify_server_certs=1
verify_server_cn=0
client_cert_chain=$DIR/pki/$device.crt
client_cert_key=$DIR/pki/$device.key
use_ipv6=0
ipv6_migration_done=1
guess_hostname=0
contact="$user" <sip:$user@$address>

[rtp]
audio_rtp_port=$((20410 + 20 * number))

[video]
enabled=0

[audio_codec_0]
mime=PCMU
rate=8000
channels=1
enabled=1
CFG
	mkfifo "$d/stdin"
	# a writer that stays open; linphonec leaves at end of file
	nsenter --net="/run/netns/$NS-$n" tail -f /dev/null \
		>"$d/stdin" 2>/dev/null &
	printf '%s\n' "$!" >"$DIR/pid/$name-stdin"
	HOME=$d nsenter --net="/run/netns/$NS-$n" \
		linphonec -c "$d/rc" -d 6 -l "$d/log" \
		<"$d/stdin" >"$DIR/log/$name" 2>&1 &
	printf '%s\n' "$!" >"$DIR/pid/$name"
	phone_cmd "$name" "soundcard use files"
	phone_cmd "$name" "play $d/tone.wav"
	phone_cmd "$name" "record $d/heard.wav"
	phone_cmd "$name" \
		"register sip:$user@$SP_OUT sip:$SP_OUT:5061;transport=tls $pass"
}

# phone_cmd NAME COMMAND: one line to the prompt of a linphone_phone
phone_cmd() { printf '%s\n' "$2" >"$DIR/$1/stdin"; }

# linphone_start: phone b; linphone_cmd COMMAND: one line to its prompt
linphone_start() {
	linphone_phone linphone pb "$PHONE_B" "$DEV_B" "$USER_B" "$PASS_B"
}
linphone_cmd() { phone_cmd linphone "$1"; }
