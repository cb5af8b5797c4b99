#!/bin/bash
# boot.sh [-k KERNEL] [-t SECONDS] [SCRIPT [ARGUMENT...]]
# Builds nf_srtp for KERNEL (6.1, 6.12, kasan or kcsan; 6.1 unless named), boots
# a virtual machine with it, runs SCRIPT there (guest.sh unless named; MODULE is
# the path of the module) and shows what it said. For working on the module;
# check.sh is the test.
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=${TOP:-$(cd "$HERE/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
. "$HERE/lab.sh"

name=6.1 limit=600
while getopts k:t: o; do
	case $o in
	k) name=$OPTARG ;;
	t) limit=$OPTARG ;;
	*) sed -n '2,6s/^# //p' "$0"; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- "$HERE/guest.sh"
script=$(realpath "$1")
shift
lab_kernel "$name" || exit 1
dir=$LAB/$name
lab_module "$dir" || { cat "$dir/module.log"; exit 1; }
lab_boot "$dir" "$limit" "$script" "$@"
tr -d '\r' <"$dir/console"
