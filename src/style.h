/* How a child is told of the jobserver; a word of the language and of the command line. */
#ifndef DR_STYLE_H
#define DR_STYLE_H

enum dr_style {
	DR_STYLE_DEFAULT, /* as the run says; for a run: both */
	DR_STYLE_BOTH,    /* one pool, two addresses: descriptors and a fifo */
	DR_STYLE_PIPE,
	DR_STYLE_FIFO,
	DR_STYLE_NONE, /* not at all: it is hidden, also where it is another's */
	DR_STYLES
};

#endif
