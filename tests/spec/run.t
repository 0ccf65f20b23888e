#!/bin/bash
# Runs the cases beside it, each in a copy of its directory, and tells of those that are not as they should be.
#
#   Dagfile, …  what the case is about
#   args        words for dagrun, one a line (default: -n)
#   expect      what it prints to standard output and standard error, and "exit N" as the last line
#   want/       files that must be there afterwards with these contents
#   check.sh    a script that does whatever else there is to do with $DAGRUN, and exits 0 if all is well
#
# tests/spec/run.t [CASE…] runs only these; with RECORD=1 what is found becomes what an
# expect file that is there expects, to be looked at.
set -u

spec=${srcdir:?}/tests/spec
DAGRUN=${DAGRUN:?}
export DAGRUN
scratch=$(mktemp -d) || exit 99
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT

run_case()
{
	local case=$1 word words=() rc

	cp -R "$case" "$scratch/case" && cd "$scratch/case" || return 1
	chmod -R u+w .
	rm -rf args expect want check.sh
	if [ -e "$case/args" ]; then
		while IFS= read -r word || [ -n "$word" ]; do
			words+=("$word")
		done <"$case/args"
	else
		words=(-n)
	fi
	if [ -e "$case/expect" ]; then
		"$DAGRUN" ${words[@]+"${words[@]}"} >../found 2>&1 </dev/null
		echo "exit $?" >>../found
		[ -z "${RECORD-}" ] || cp ../found "$case/expect"
		diff -u "$case/expect" ../found || return 1
	fi
	if [ -d "$case/want" ]; then
		diff -ur "$case/want" . | grep -v '^Only in \./*' >../differences
		[ ! -s ../differences ] || { cat ../differences; return 1; }
	fi
	if [ -e "$case/check.sh" ]; then
		sh -eu "$case/check.sh" </dev/null
		rc=$?
		[ "$rc" = 0 ] || { echo "check.sh: exit $rc"; return 1; }
	fi
}

[ $# -gt 0 ] || { cd "$spec" && set -- */; }
passed=0 failed=0
for name; do
	name=${name%/}
	if (run_case "$spec/$name") >"$scratch/log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "--- $name"
		cat "$scratch/log"
	fi
	chmod -R u+w "$scratch"
	rm -rf "$scratch/case" "$scratch/found" "$scratch/differences"
done
echo "spec: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
