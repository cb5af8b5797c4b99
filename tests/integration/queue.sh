#!/bin/bash
# The relay over packet queues: what every backend must do, over real queues
# in a network namespace of its own, and what becomes of its rules.
. "$(dirname "$0")/lib/test.sh"

needs net_begin sp-queue

# Nothing of ours in any table of namespace sp.
no_rules() {
	! in_ns sp nft list ruleset 2>/dev/null | grep sallyport &&
		! in_ns sp iptables-legacy-save 2>/dev/null | grep sallyport &&
		! in_ns sp ip6tables-legacy-save 2>/dev/null | grep sallyport
}
has_rules() { ! no_rules >/dev/null; }

conforms() {
	in_ns sp "$BUILD/tests/unit/media/test_queue" >"$DIR/log/conform" 2>&1
	local status=$?
	[ "$status" = 0 ] || cat "$DIR/log/conform"
	grep -q '100%: Checks: [1-9]' "$DIR/log/conform" && return "$status"
}
is_true "the backend does what every backend must" conforms
is_true "its rules are gone" no_rules

test_end
