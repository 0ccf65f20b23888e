# Completion of dagrun(1) for bash: options, their values, stages and names of the Dagfile, files.

# What the Dagfile holds that the line means: stages, and NAME= of each let. Included files are not looked into.
_dagrun_names()
{
	local file=Dagfile dir='' i
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		-f | --file) file=${words[i + 1]} ;;
		-f?*) file=${words[i]#-f} ;;
		--file=*) file=${words[i]#*=} ;;
		-C | --directory) dir=${words[i + 1]} ;;
		-C?*) dir=${words[i]#-C} ;;
		--directory=*) dir=${words[i]#*=} ;;
		esac
	done
	[[ -z $dir || $file == /* ]] || file=$dir/$file
	[[ -f $file ]] || return
	awk '$1 == "map" || $1 == "merge" || $1 == "task" { if (/^[^ \t]/) print $2 }
		$1 == "let" && /^[^ \t]/ { sub(/=.*/, "", $2); print $2 "=" }' "$file" 2>/dev/null
}

_dagrun_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen "$@" -- "$cur")
}

_dagrun_targets()
{
	COMPREPLY=($(compgen -W "$(_dagrun_names)" -- "$cur"))
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
	_dagrun_files -f
}

# _dagrun_value OPTION: the values of one that takes any; else 1.
_dagrun_value()
{
	local choices=
	case $1 in
	-f | --file | --report | --trace) _dagrun_files -f ;;
	-C | --directory) _dagrun_files -d ;;
	--in | --out | --uses) _dagrun_files -f ;;
	--each)
		COMPREPLY=($(compgen -W 'glob: range: list: lines: command: tsv: csv:' -- "$cur"))
		[[ ${#COMPREPLY[@]} == 0 ]] || compopt -o nospace 2>/dev/null
		_dagrun_files -f
		;;
	--map | --merge | --task) _dagrun_files -c ;;
	--explain) _dagrun_targets ;;
	-O | --output-sync) choices='none line target recurse' ;;
	--fan-in) choices='all 2 4 8 16 32' ;;
	--keep) choices='yes no level' ;;
	--graph) choices='text dot svg html mermaid json' ;;
	--export) choices='make ninja json' ;;
	--jobserver-style) choices='both pipe fifo none' ;;
	--progress) choices='auto bar plain json none' ;;
	--color) choices='auto always never' ;;
	-j | --jobs | -l | --load-average | --by | --slots | --retries | --timeout | --max-failures | --memory | --reserve | --wait) ;;
	*) return 1 ;;
	esac
	[[ -z $choices ]] || COMPREPLY=($(compgen -W "$choices" -- "$cur"))
	return 0
}

_dagrun()
{
	local options='--file --directory --jobs --load-average --keep-going --dry-run --question --always-make
		--silent --adopt --ignore-errors --output-sync --map --merge --task --each --in --out --uses --by --fan-in
		--slots --memory --retries --timeout --keep --graph --full --export --explain --status --failed --log
		--json --clean --all --orphans --forget --max-failures --durable --reserve --wait --jobserver-style
		--report
		--trace --progress --color --help --version
		-f -C -j -l -k -n -q -B -s -t -i -O -h'
	local words=() word cur prev i
	COMPREPLY=()
	# bash has split the line at '=', too, which is here part of a word.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((i > 1)) && [[ $word == = || ${COMP_WORDS[i - 1]} == = ]]; then
			words[${#words[@]} - 1]+=$word
		else
			words+=("$word")
		fi
	done
	cur=${words[${#words[@]} - 1]}
	prev=${words[${#words[@]} - 2]}
	case $cur in
	--*=*)
		word=${cur%%=*}
		cur=${cur#*=}
		_dagrun_value "$word"
		[[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("${COMPREPLY[@]/#/$word=}")
		return
		;;
	esac
	case $prev in
	# Their value stands in the same word, if there is one.
	-j | --jobs | -l | --load-average | -O | --output-sync | --graph | --explain) ;;
	-*) ! _dagrun_value "$prev" || return ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$cur"))
	else
		_dagrun_targets
	fi
}

complete -F _dagrun dagrun
