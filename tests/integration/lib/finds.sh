# finds GREP-ARGUMENT...: grep -q for the end of a pipe. It reads all there is,
# where grep -q leaves at the first match and its writer may die of SIGPIPE:
# under pipefail the pipe then fails although the text was found.
finds() { grep -c "$@" >/dev/null; }
