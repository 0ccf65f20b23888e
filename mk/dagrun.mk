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
# DAGRUN is the program, DAGRUNFLAGS what it is given beside (-k, NAME=VALUE).

DAGRUN ?= dagrun

# The '+' passes make's jobserver on, and has dagrun asked under -n, -q and -t too: it honours them itself.
# As all of the recipe is so marked, make looks at the file's time again afterwards, instead of taking it for
# new. PRECIOUS, as dagrun publishes whole files only: there is nothing half-made for make to delete.
define dagrun
$(if $(word 2,$(2)),$(if $(filter grouped-target,$(.FEATURES)),,$(error dagrun.mk: several targets of one \
Dagfile in one rule need make 4.3 or newer; write a line for each)))
.PRECIOUS: $(strip $(2))
$(strip $(2)) $(if $(word 2,$(2)),&): .dagrun-ask
	+$$(DAGRUN)$$(if $$(DAGRUNFLAGS), $$(DAGRUNFLAGS)) -f $(strip $(1)) $(strip $(2))

endef

# The dot keeps this from being the default goal of a Makefile that includes us at its top.
.PHONY: .dagrun-ask
.dagrun-ask:
