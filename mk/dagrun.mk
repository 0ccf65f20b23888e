# For GNU make: files that a Dagfile makes, as one rule in one line.
#
#     include dagrun.mk
#     $(eval $(call dagrun,Dagfile,total.tsv))
#     report.html: total.tsv ; ./report $< > $@
#
# dagrun is asked every time; what depends on total.tsv is redone only if total.tsv has changed. Several
# files of one Dagfile (make 4.3 or newer) are one run: $(call dagrun,Dagfile,total.tsv top.txt). All names
# are relative to where make runs, also with a Dagfile elsewhere: $(call dagrun,sub/Dagfile,sub/total.tsv).
#
# One line can stand for each file, too: runs of one Dagfile beside each other make what they share once.
#
#     make dagrun-clean    removes what these Dagfiles made and nobody has changed since (clean: dagrun-clean)
#     make dagrun-graph    shows them; DAGRUN_GRAPH is the format (text, dot, svg, mermaid, json)
#
# DAGRUN is the program, DAGRUNFLAGS what it is given beside (-k, NAME=VALUE).

DAGRUN ?= dagrun

# The '+' passes make's jobserver on, and has dagrun asked under -n, -q and -t too: it honours them itself.
# As all of the recipe is so marked, make looks at the file's time again afterwards, instead of taking it for
# new. PRECIOUS, as dagrun publishes whole files only: there is nothing half-made for make to delete.
define dagrun
$(if $(word 2,$(2)),$(if $(filter grouped-target,$(.FEATURES)),,$(error dagrun.mk: several targets of one \
Dagfile in one rule need make 4.3 or newer; write a line for each)))
.PRECIOUS: $(strip $(2))
DAGRUN_FILES := $$(sort $$(DAGRUN_FILES) $(strip $(1)))
$(strip $(2)) $(if $(word 2,$(2)),&): .dagrun-ask
	+$$(DAGRUN)$$(if $$(DAGRUNFLAGS), $$(DAGRUNFLAGS)) -f $(strip $(1)) $(strip $(2))

endef

# The dot keeps this from being the default goal of a Makefile that includes us at its top.
.PHONY: .dagrun-ask
.dagrun-ask:

DAGRUN_FILES :=
define dagrun_line


endef

# Those below have no dot, and are not the default goal either.
dagrun_goal := $(.DEFAULT_GOAL)

# Without '+': under -n nothing is removed.
.PHONY: dagrun-clean dagrun-graph
dagrun-clean:
	$(foreach f,$(DAGRUN_FILES),$(DAGRUN)$(if $(DAGRUNFLAGS), $(DAGRUNFLAGS)) -f $f --clean --all$(dagrun_line))
dagrun-graph:
	$(foreach f,$(DAGRUN_FILES),@$(DAGRUN)$(if $(DAGRUNFLAGS), $(DAGRUNFLAGS)) -f $f --graph$(if \
$(DAGRUN_GRAPH),=$(DAGRUN_GRAPH))$(dagrun_line))

.DEFAULT_GOAL := $(dagrun_goal)
