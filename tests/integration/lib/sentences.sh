# Sentences that are true or not, and their sum: what every test ends with.

. "$(dirname "${BASH_SOURCE[0]}")/finds.sh"

passed=0 failed=0

# is_true SENTENCE COMMAND...: counted; what it said is in $it_said, and is shown
# when it fails
is_true() {
	local sentence=$1
	shift
	if it_said=$("$@" 2>&1); then
		passed=$((passed + 1))
		printf 'ok      %s\n' "$sentence"
	else
		failed=$((failed + 1))
		printf 'not ok  %s\n' "$sentence"
		printf '%s\n' "$it_said" | tail -20 | sed 's/^/        /'
	fi
}

sentences_end() {
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" = 0 ]
	exit
}
