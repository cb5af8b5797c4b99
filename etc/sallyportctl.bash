# bash completion for sallyportctl(8)
_sallyportctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} words=() w
	COMPREPLY=()
	for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $w == -* ]] || words+=("$w")
	done
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "--socket --json --realm \
			--stdin --device --line --tail --dry-run --replace --all --pool --help \
			--version --user $([[ ${words[0]} != authz ]] ||
			echo --trunk --method --event --from --to --header \
				--body --refer-to --source --forward \
				--replaces --in-dialog)" -- "$cur")
		return
	fi
	case ${words[*]} in
	"") mapfile -t COMPREPLY < <(compgen -W "$(sallyportctl --help |
		awk '/^  [a-z]/ { print $1 }' | sort -u) users" -- "$cur") ;;
	user | device | authz | media | ipsec) mapfile -t COMPREPLY < <(compgen -W "$(sallyportctl --help |
		awk -v w="${words[0]}" '/^  [a-z]/ && $1 == w { print $2 }')" \
		-- "$cur") ;;
	log) mapfile -t COMPREPLY < <(compgen -W "error warning info debug" \
		-- "$cur") ;;
	"media unload" | "media load") mapfile -t COMPREPLY < <(compgen -W "kernel queue \
		socket" -- "$cur") ;;
	"device import") mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
}
complete -F _sallyportctl sallyportctl
