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
for f in sentences net certs kamailio phones sallyport call sipp sccp; do
	. "$LIB/$f.sh"
done

# needs COMMAND...: preparation that must work, or the test ends here
needs() {
	"$@" && return
	failed=$((failed + 1))
	printf 'not ok  could not: %s\n' "$*"
	test_end
}

test_end() { sentences_end; }
