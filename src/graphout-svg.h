/* What the parts of the SVG share. */
#ifndef DR_GRAPHOUT_SVG_H
#define DR_GRAPHOUT_SVG_H

#include "graphout-layout.h"

/* Coordinates across are tenths of a pixel, so that they need no point; a group scales them. */
enum {
	DR_SVG_PLOT = 10000, /* the width of the picture proper */
	DR_SVG_COLUMN = 20, /* of what is drawn where nodes are too narrow to be told apart: those below six tenths of it */
	DR_SVG_COLUMN_MOST = 160,
	DR_SVG_MARK = 60, /* a failure's triangle, and the least width of a piece of the longest path */
	DR_SVG_COLUMNS = DR_SVG_PLOT / DR_SVG_COLUMN,
	DR_SVG_LARGE = 29000, /* bytes of a picture: one that is larger is drawn again with wider columns. */
	DR_SVG_SMALL = 14000, /* The same up to as many leaves as the next */
	DR_SVG_FEW = 1000,
	DR_SVG_MARKS = DR_SVG_PLOT / DR_SVG_MARK + 1,
	DR_SVG_ROW = 20, /* pixels from one row to the next */
	DR_SVG_LANE = 10, /* pixels of a row's failures above it */
	DR_SVG_LABEL_MOST = 32, /* characters */
	DR_SVG_NAMED_MOST = 10, /* failures of a row that are named */
};

/* By state: a class of the style, 0 where nothing is drawn, and what it is called. */
struct dr_svg_look {
	char letter;
	const char *name;
};
extern const struct dr_svg_look dr_svg_looks[DR_STATES];

/* In the order of the legend */
enum { DR_SVG_SHOWN = 6 };
extern const enum dr_state dr_svg_shown[DR_SVG_SHOWN];

struct dr_svg {
	const struct dr_plan *pl;
	const struct dr_rows *rows;
	const struct dr_layout *layout;
	struct dr_buf *out;
	struct dr_buf text; /* scratch */
	uint32_t counts_end, bytes_end, plot; /* pixels: right edges of the columns of text, and where the picture begins */
	uint32_t y;
	uint64_t width; /* of the block, in leaves */
	uint64_t pen;   /* where the path that is being written ends */
	uint32_t column, columns; /* how wide, and how many */
	bool used[DR_STATES], partly;
};

/* Appends text, with what XML has for itself or forbids in other words. Control characters are the caller's. */
void dr_svg_xml(struct dr_buf *out, struct dr_str s);
/* A <text> of what is in s->text, which is empty again then. x and y in pixels; the class may be empty. */
void dr_svg_text(struct dr_svg *s, uint32_t x, uint32_t y, const char *class);

/* What dr_graph_svg draws, of rows and places that are known by now. 0; -1 without memory. */
int dr_svg_draw(const struct dr_plan *pl, const struct dr_rows *rows, const struct dr_layout *layout, struct dr_buf *out);

/* graphout-svg-rows.c. From leaves to tenths of a pixel. */
uint64_t dr_svg_across(const struct dr_svg *s, uint64_t leaves);
/* A <g> in which x is in tenths of a pixel from the picture's left edge, and y in pixels from this one. */
void dr_svg_begin_plot(struct dr_svg *s, uint32_t y);
/* The bars of a row at s->y, or above it its failures, which take DR_SVG_LANE pixels. */
void dr_svg_bars(struct dr_svg *s, const struct dr_rows_row *row);
void dr_svg_lane(struct dr_svg *s, const struct dr_rows_row *row);

#endif
