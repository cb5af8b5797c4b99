# A network test: sentences that are true or not, and their sum. Sourced first:
#
#	. "$(dirname "$0")/lib/test.sh"
#	net_begin NAME
#	is_true "sentence" COMMAND...
#	test_end
set -uo pipefail
LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=${TOP:-$(cd "$LIB/../../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
for f in net certs kamailio phones sallyport call sipp; do
	. "$LIB/$f.sh"
done

passed=0 failed=0

# is_true SENTENCE COMMAND...: counted; what it said is shown when it fails
is_true() {
	local sentence=$1 out
	shift
	if out=$("$@" 2>&1); then
		passed=$((passed + 1))
		printf 'ok      %s\n' "$sentence"
	else
		failed=$((failed + 1))
		printf 'not ok  %s\n' "$sentence"
		printf '%s\n' "$out" | tail -20 | sed 's/^/        /'
	fi
}

# needs COMMAND...: preparation that must work, or the test ends here
needs() {
	"$@" && return
	failed=$((failed + 1))
	printf 'not ok  could not: %s\n' "$*"
	test_end
}

test_end() {
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" = 0 ]
	exit
}
