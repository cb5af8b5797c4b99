#!/bin/bash
# The record in doc/kernel.md of what the debug kernels have found: a row each,
# with the commit of kmod/ and its tree, by which it is recognized.
#
#	record.sh row KERNEL PASSED	a row for today's kmod/
#	record.sh check			a warning unless there is one for each
#
# A tree that is no clone has no commits: then nothing is said.
set -uo pipefail
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$TOP" || exit 1
[ -e .git ] && tree=$(git rev-parse --short=12 HEAD:kmod 2>/dev/null) || exit 0
clean=$(git status --porcelain -- kmod 2>/dev/null) || exit 0

case ${1:-} in
row)
	[ -z "$clean" ] || tree="$tree and changes"
	printf '| %s | %s | %s | %s | %s |\n' "$(date +%Y-%m-%d)" "$2" \
		"$(git log -1 --format=%h -- kmod)" "$tree" "$3"
	;;
check)
	for kernel in kasan kcsan; do
		[ -z "$clean" ] &&
			grep -qE "^\|.*-$kernel \|.*\| $tree \|" doc/kernel.md &&
			continue
		echo "warning: kmod/ has changed since make check-kernel-debug" \
			"was last recorded for $kernel (doc/kernel.md)"
	done
	;;
*)
	echo "usage: record.sh row KERNEL PASSED | record.sh check" >&2
	exit 2
	;;
esac
