# Turns text files into C: FILE.EXT becomes dr_FILE_EXT, an array of lines ended by a NULL. Blanks at a line's beginning,
# empty lines and lines that are a comment and nothing else are for us, and left out.
FNR == 1 {
	if (any)
		print "\tNULL\n};"
	else
		print "#include \"config.h\"\n\n#include <stddef.h>\n\n#include \"page-text.h\"\n"
	any = 1
	name = FILENAME
	sub(/.*\//, "", name)
	gsub(/[^A-Za-z0-9]/, "_", name)
	print "\nconst char *const dr_" name "[] = {"
}
{
	sub(/^[ \t]+/, "")
	if ($0 == "" || /^\/\// || /^\/\*.*\*\/$/)
		next
	out = ""
	for (i = 1; i <= length($0); i++) {
		c = substr($0, i, 1)
		# Of a trigraph, too
		if (c == "\\" || c == "\"" || c == "?")
			out = out "\\"
		out = out c
	}
	print "\t\"" out "\\n\","
}
END {
	print "\tNULL\n};"
}
