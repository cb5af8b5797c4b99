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

# linphone_start: registers; commands through linphone_cmd
linphone_start() {
	local d=$DIR/linphone
	mkdir -p "$d/.local/share/linphone"
	phone_tone "$d/tone.wav" 880
	cat >"$d/rc" <<CFG
[sip]
sip_port=-1
sip_tcp_port=-1
sip_tls_port=5071
bind_address=$PHONE_B
media_encryption=srtp
media_encryption_mandatory=1
root_ca=$DIR/pki/ca.crt
verify_server_certs=1
verify_server_cn=0
client_cert_chain=$DIR/pki/$DEV_B.crt
client_cert_key=$DIR/pki/$DEV_B.key
use_ipv6=0
ipv6_migration_done=1
guess_hostname=0
contact="$USER_B" <sip:$USER_B@$PHONE_B>

[rtp]
audio_rtp_port=20410

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
	ip netns exec "$NS-pb" tail -f /dev/null >"$d/stdin" 2>/dev/null &
	printf '%s\n' "$!" >"$DIR/pid/linphone-stdin"
	HOME=$d ip netns exec "$NS-pb" \
		linphonec -c "$d/rc" -d 6 -l "$d/log" \
		<"$d/stdin" >"$DIR/log/linphone" 2>&1 &
	printf '%s\n' "$!" >"$DIR/pid/linphone"
	linphone_cmd "soundcard use files"
	linphone_cmd "play $d/tone.wav"
	linphone_cmd "record $d/heard.wav"
	linphone_cmd "register sip:$USER_B@$SP_OUT sip:$SP_OUT:5061;transport=tls $PASS_B"
}

# linphone_cmd COMMAND: one line to its prompt
linphone_cmd() { printf '%s\n' "$1" >"$DIR/linphone/stdin"; }
