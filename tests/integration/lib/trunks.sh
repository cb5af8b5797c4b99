# Sections for trunks. Sourced by who needs them, after test.sh.

# trunk_core NAME PORT OURS: a call manager for trunks, and our port towards it
trunk_core() {
	printf 'call-manager "%s" {\n\taddress = "udp:%s:%s"\n' "$1" "$CM" "$2"
	printf '\tlocal-address = "%s:%s"\n\tserves = trunks\n}\n' "$SP_IN" "$3"
}

# trunk_tls_listener NAME: it believes who is in trust/trunks
trunk_tls_listener() {
	cat <<CFG
listener "$1" {
	address = "tls:$SP_OUT:5081"
	certificate = "certs/server.pem"
	key = "keys/server.key"
	trust = "trunks"
	serves = trunks
}
CFG
}

# Peers are known to be down by the first call that fails.
trunk_failover() {
	printf 'failover {\n\toptions-interval = 0\n\tfailures = 1\n'
	printf '\ttry-timeout = 500\n}\n'
}
