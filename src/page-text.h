/* What every page holds, as lines ended by NULL: made from the files of these names by mk/text.awk. */
#ifndef DR_PAGE_TEXT_H
#define DR_PAGE_TEXT_H

extern const char *const dr_page_css[];
extern const char *const dr_page_js[];
extern const char *const dr_page_tree_js[];
extern const char *const dr_report_js[];

#endif
