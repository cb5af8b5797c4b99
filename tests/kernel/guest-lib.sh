# What scripts inside of the laboratory's virtual machine have in common.
. "$TOP/tests/integration/lib/sentences.sh"

# what the module and the tests need and a bare kernel has not loaded
modules() {
	# all built in where there is no such folder
	[ -d "/lib/modules/$(uname -r)" ] || return 0
	modprobe -a veth aesni_intel sha1_ssse3 ghash_clmulni_intel ctr gcm hmac
}

# load [PARAMETER=VALUE...]: insmod, with the kernel's words when it refuses
load() {
	insmod "$MODULE" "$@" || {
		dmesg | tail -n 20
		return 1
	}
	watch_races
}

# KCSAN, where the kernel has it, watches from here on, and tells of races
# between the module's functions alone: the kernel has some of its own
KCSAN=/sys/kernel/debug/kcsan
watch_races() {
	local name
	[ -w $KCSAN ] || return 0
	for name in $(awk '$2 ~ /[tT]/ && $4 == "[nf_srtp]" { print $3 }' \
		/proc/kallsyms); do
		echo "!$name" >$KCSAN
	done 2>/dev/null
	echo whitelist >$KCSAN && echo on >$KCSAN
}
races_watched() {
	cat $KCSAN
	grep -q '^enabled: 1' $KCSAN &&
		[ "$(awk '$1 == "setup_watchpoints:" { print $2 }' $KCSAN)" -gt 0 ]
}

# rmmod; what is being torn down (a namespace, flows of a process that died)
# takes its time
goes() {
	local _
	for _ in $(seq 600); do
		rmmod nf_srtp 2>/dev/null && return 0
		sleep 0.1
	done
	rmmod nf_srtp
}

# script FILE: a test of its own; its sentences are counted as ours
script() {
	local line sum=
	while IFS= read -r line; do
		case $line in
		*" passed, "*" failed") sum=$line ;;
		*) printf '%s\n' "$line" ;;
		esac
	done < <(bash "$1" 2>&1)
	if [ -z "$sum" ]; then
		is_true "${1##*/} came to its end" false
		return
	fi
	passed=$((passed + ${sum%% *}))
	sum=${sum#*, }
	failed=$((failed + ${sum%% *}))
}

# A sentence: nothing that a debug kernel, or any, prints when something is
# wrong is in its log; memory that nobody can reach any more included.
complaints='BUG:|WARNING:|Oops|KASAN|KCSAN: |UBSAN|general protection|possible (circular|recursive)|suspicious RCU|inconsistent lock|INFO: task|rcu.*stall|soft lockup|refcount_t|Call Trace|unreferenced object'
clean_kernel() {
	if [ -w /sys/kernel/debug/kmemleak ]; then
		# twice: what it saw once may still be on its way
		echo scan >/sys/kernel/debug/kmemleak
		sleep 6
		echo scan >/sys/kernel/debug/kmemleak
	fi
	[ ! -r $KCSAN ] || is_true "KCSAN has watched" races_watched
	is_true "the kernel has nothing to complain of" no_complaints
}
no_complaints() {
	if [ -r /sys/kernel/debug/kmemleak ] &&
		grep -q nf_srtp /sys/kernel/debug/kmemleak; then
		cat /sys/kernel/debug/kmemleak
		return 1
	fi
	! dmesg | grep -E -A25 "$complaints"
}
