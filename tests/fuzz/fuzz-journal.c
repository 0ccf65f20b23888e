/* What stands behind the header of a journal. Beginning with an even byte: as it is. With an odd one: kind, length, payload and so on, to which
 * heads with the right checksums are made, as nothing that is made up at random has one. */
#include "config.h"

#include "err.h"
#include "fuzz.h"
#include "journal-record.h"
#include "journal-stock.h"
#include "os.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
add_record(struct dr_buf *b, uint16_t kind, const uint8_t *payload, uint32_t n)
{
	struct dr_record_head h = { .marker = DR_RECORD_MARKER, .length = n, .kind = kind };
	size_t at = b->n, from = offsetof(struct dr_record_head, length);

	dr_buf_add(b, &h, sizeof(h));
	dr_buf_add(b, payload, n);
	MUST(!b->failed);
	h.checksum = (uint32_t)dr_hash64(b->p + at + from, sizeof(h) - from + n);
	memcpy(b->p + at, &h, sizeof(h));
}

/* Kind, then how many bytes of payload follow, by eights. */
static void
add_records(struct dr_buf *b, const uint8_t *p, size_t n)
{
	while (n >= 2) {
		uint32_t want = (uint32_t)p[1] * 8, len;
		uint16_t kind = p[0];

		p += 2;
		n -= 2;
		len = want < n ? want : (uint32_t)n / 8 * 8;
		add_record(b, kind, p, len);
		p += len;
		n -= len;
	}
}

/* All of it is where it says it is. */
static uint64_t
touch(struct dr_str s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += (unsigned char)s.p[i];
	return sum;
}

static uint64_t
read_all(int fd)
{
	struct dr_record_stream s = { 0 };
	struct dr_rec_file f;
	struct dr_record r;
	struct dr_str raw;
	struct dr_err err;
	uint64_t sum = 0, last = 0;
	int rc;

	MUST(dr_record_stream_open(&s, fd, sizeof(struct dr_journal_header), &err) == 0);
	while ((rc = dr_record_next(&s, &r, &raw, &err)) > 0) {
		MUST(r.at >= sizeof(struct dr_journal_header) && (!last || r.at > last));
		last = r.at;
		sum += touch(raw);
		if (r.kind != DR_REC_DONE && r.kind != DR_REC_FAIL)
			continue;
		sum += touch(r.task.name);
		while (dr_record_file(&r, &f) == 1)
			sum += touch(f.path);
	}
	MUST(rc == 0);
	dr_record_stream_close(&s);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dr_stock stock = { 0 };
	struct dr_journal_header h;
	struct dr_buf b = { 0 };
	struct dr_err err;
	FILE *file = tmpfile();
	int fd;

	MUST(file);
	fd = fileno(file);
	dr_journal_make_header(&h);
	dr_buf_add(&b, &h, sizeof(h));
	if (n && p[0] % 2)
		add_records(&b, p + 1, n - 1);
	else if (n)
		dr_buf_add(&b, p + 1, n - 1);
	MUST(!b.failed && dr_write_full(fd, b.p, b.n) == 0);
	MUST(dr_journal_check_header(fd, &err) == 0);
	(void)read_all(fd);
	MUST(dr_stock_take(&stock, fd, &err) == 0);
	MUST(stock.live <= stock.total);
	dr_stock_free(&stock);
	dr_buf_free(&b);
	fclose(file);
	return 0;
}
