#include "config.h"

#include "journal.h"

#include "err.h"
#include "journal-record.h"
#include "os.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BUFFER_MIN = 4096 };

static const size_t summed_from = offsetof(struct dr_record_head, length);

/* Whether a head can be the head of a record of which at most `room` bytes of payload are there. */
static bool
plausible(const struct dr_record_head *h, uint64_t room)
{
	size_t least = 0;

	if (h->marker != DR_RECORD_MARKER || h->reserved || h->length % DR_RECORD_ALIGN || h->length > room)
		return false;
	switch (h->kind) {
	case DR_REC_RUN:
	case DR_REC_BYE:
		return h->length == sizeof(struct dr_rec_run);
	case DR_REC_BARRIER:
		return h->length == sizeof(struct dr_rec_barrier);
	case DR_REC_RECLAIM:
	case DR_REC_FORGET:
		return h->length == sizeof(struct dr_hash128);
	case DR_REC_DONE:
	case DR_REC_FAIL:
		least = sizeof(struct dr_record_task_head);
		return h->length >= least;
	case DR_REC_TREE:
		least = sizeof(struct dr_record_tree_head);
		return h->length >= least;
	default:
		return false;
	}
}

static bool
parse_task(const uint8_t *p, size_t n, struct dr_record *r)
{
	struct dr_rec_task *t = &r->task;
	struct dr_record_task_head h;

	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	n -= sizeof(h);
	if (h.name_len > n)
		return false;
	r->left = (uint64_t)h.n_in + h.n_uses + h.n_out;
	if (r->left > (n - h.name_len) / sizeof(struct dr_record_file_head))
		return false;
	*t = (struct dr_rec_task){
		.id = h.id,
		.command = h.command,
		.run = h.run,
		.origin = h.origin,
		.start = h.start,
		.end = h.end,
		.user_us = h.user_us,
		.sys_us = h.sys_us,
		.peak_kb = h.peak_kb,
		.log_at = h.log_at,
		.log_len = h.log_len,
		.status = h.status & DR_RECORD_STATUS,
		.how = (uint32_t)h.status >> DR_RECORD_HOW,
		.tries = h.tries,
		.n_in = h.n_in,
		.n_uses = h.n_uses,
		.n_out = h.n_out,
		.name = { (const char *)p, h.name_len },
	};
	r->next = p + h.name_len;
	r->end = p + n;
	return true;
}

static bool
parse_tree(const uint8_t *p, size_t n, struct dr_record *r)
{
	struct dr_record_tree_head h;

	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	n -= sizeof(h);
	if (h.n_leaves > n / sizeof(uint64_t) || h.shape_len > n - h.n_leaves * sizeof(uint64_t))
		return false;
	r->tree = (struct dr_rec_tree){
		.key = h.key,
		.level = h.level,
		.n_leaves = h.n_leaves,
		.leaves = p,
		.shape = { (const char *)p + h.n_leaves * sizeof(uint64_t), h.shape_len },
	};
	return true;
}

/* A record whose h->length bytes of payload follow its head at p. false: it is none. */
static bool
parse(const uint8_t *p, const struct dr_record_head *h, uint64_t at, struct dr_record *r)
{
	const uint8_t *payload = p + sizeof(*h);

	if ((uint32_t)dr_hash64(p + summed_from, sizeof(*h) - summed_from + h->length) != h->checksum)
		return false;
	r->kind = (enum dr_record_kind)h->kind;
	r->at = at;
	r->left = 0;
	r->next = r->end = payload;
	switch (r->kind) {
	case DR_REC_RUN:
	case DR_REC_BYE:
		memcpy(&r->run, payload, sizeof(r->run));
		return true;
	case DR_REC_BARRIER:
		memcpy(&r->barrier, payload, sizeof(r->barrier));
		return r->barrier.phase >= DR_REC_BEGINS && r->barrier.phase <= DR_REC_SETTLED;
	case DR_REC_RECLAIM:
	case DR_REC_FORGET:
		memcpy(&r->id, payload, sizeof(r->id));
		return true;
	case DR_REC_DONE:
	case DR_REC_FAIL:
		return parse_task(payload, h->length, r);
	case DR_REC_TREE:
		return parse_tree(payload, h->length, r);
	}
	return false;
}

int
dr_record_file(struct dr_record *r, struct dr_rec_file *f)
{
	struct dr_record_file_head h;
	size_t n = (size_t)(r->end - r->next);
	const uint8_t *p = r->next;

	if (!r->left)
		return n < DR_RECORD_ALIGN ? 0 : -1;
	if (n < sizeof(h))
		return -1;
	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	n -= sizeof(h);
	*f = (struct dr_rec_file){ .stamp = { h.size, h.mtime, h.ino }, .flags = h.flags };
	if (h.flags & DR_REC_HASHED) {
		if (n < sizeof(f->content))
			return -1;
		memcpy(&f->content, p, sizeof(f->content));
		p += sizeof(f->content);
		n -= sizeof(f->content);
	}
	if (h.path_len > n)
		return -1;
	f->path = (struct dr_str){ (const char *)p, h.path_len };
	r->next = p + h.path_len;
	r->left--;
	return 1;
}

bool
dr_record_id(const struct dr_record *r, struct dr_hash128 *id)
{
	switch (r->kind) {
	case DR_REC_DONE:
	case DR_REC_FAIL:
		*id = r->task.id;
		return true;
	case DR_REC_RECLAIM:
	case DR_REC_FORGET:
		*id = r->id;
		return true;
	case DR_REC_BARRIER:
		*id = r->barrier.id;
		return r->barrier.phase >= DR_REC_READ;
	case DR_REC_TREE:
		*id = r->tree.key;
		return true;
	case DR_REC_RUN:
	case DR_REC_BYE:
		break;
	}
	return false;
}

uint64_t
dr_record_weight(const struct dr_record *r)
{
	enum { USUAL = 256 }; /* bytes of a DONE */

	if (r->kind != DR_REC_TREE)
		return 0;
	return (r->tree.n_leaves * sizeof(uint64_t) + r->tree.shape.n) / USUAL;
}

int
dr_record_stream_open(struct dr_record_stream *s, int fd, uint64_t at, struct dr_err *err)
{
	struct stat st;

	*s = (struct dr_record_stream){ .fd = fd, .at = at, .good = at };
	if (fstat(fd, &st))
		return dr_err_sys(err, errno, "look at %s", DR_JOURNAL_SHOWN);
	s->size = st.st_size < 0 || (uint64_t)st.st_size < at ? at : (uint64_t)st.st_size;
	if (s->size == at)
		return 0;
	s->cap = s->size - at < DR_JOURNAL_PIECE ? (size_t)(s->size - at) : DR_JOURNAL_PIECE;
	if (s->cap < BUFFER_MIN)
		s->cap = BUFFER_MIN;
	s->buf = malloc(s->cap);
	return s->buf ? 0 : dr_err_nomem(err);
}

void
dr_record_stream_close(struct dr_record_stream *s)
{
	free(s->buf);
	s->buf = NULL;
}

/* Makes `need` bytes from s->pos lie in the buffer, and reads as many as fit. 1: they do; 0: the file has
 * fewer; -1 with err. */
static int
fill(struct dr_record_stream *s, uint64_t need, struct dr_err *err)
{
	uint64_t rest;
	size_t room;
	ssize_t got;

	if (s->n - s->pos >= need)
		return 1;
	if (need > s->size - (s->at + s->pos))
		return 0;
	memmove(s->buf, s->buf + s->pos, s->n - s->pos);
	s->at += s->pos;
	s->n -= s->pos;
	s->pos = 0;
	if (need > s->cap) {
		uint8_t *p = need <= SIZE_MAX ? realloc(s->buf, (size_t)need) : NULL;

		if (!p)
			return dr_err_nomem(err);
		s->buf = p;
		s->cap = (size_t)need;
	}
	room = s->cap - s->n;
	rest = s->size - (s->at + s->n);
	if (room > rest)
		room = (size_t)rest;
	got = dr_pread_full(s->fd, s->buf + s->n, room, (off_t)(s->at + s->n));
	if (got < 0)
		return dr_err_sys(err, errno, "read %s", DR_JOURNAL_SHOWN);
	s->n += (size_t)got;
	/* Shorter than it was when we looked: somebody cut it. */
	if ((size_t)got < room)
		s->size = s->at + s->n;
	return s->n >= need;
}

/* Goes to the next bytes that look like a marker. As fill: 1, 0, -1. */
static int
seek_marker(struct dr_record_stream *s, struct dr_err *err)
{
	const uint32_t marker = DR_RECORD_MARKER;
	int rc;

	while ((rc = fill(s, sizeof(struct dr_record_head), err)) > 0) {
		const uint8_t *from = s->buf + s->pos, *hit;

		/* Where nothing is damaged, it is right here. */
		if (memcmp(from, &marker, sizeof(marker)) == 0)
			return 1;
		hit = memmem(from, s->n - s->pos, &marker, sizeof(marker));
		if (hit) {
			s->pos += (size_t)(hit - from);
			return fill(s, sizeof(struct dr_record_head), err);
		}
		s->pos = s->n - (sizeof(marker) - 1);
	}
	return rc;
}

int
dr_record_next(struct dr_record_stream *s, struct dr_record *r, struct dr_str *raw, struct dr_err *err)
{
	struct dr_record_head h;
	int rc;

	while ((rc = seek_marker(s, err)) > 0) {
		uint64_t at = s->at + s->pos;

		memcpy(&h, s->buf + s->pos, sizeof(h));
		if (plausible(&h, s->size - at - sizeof(h))) {
			rc = fill(s, sizeof(h) + (uint64_t)h.length, err);
			if (rc < 0)
				return -1;
			if (rc && parse(s->buf + s->pos, &h, at, r)) {
				if (raw)
					*raw = (struct dr_str){ (const char *)s->buf + s->pos,
								sizeof(h) + h.length };
				s->damaged += at - s->good;
				s->pos += sizeof(h) + h.length;
				s->good = s->at + s->pos;
				return 1;
			}
		}
		s->pos++;
	}
	return rc;
}

int
dr_journal_read(struct dr_journal *j, bool others, dr_journal_fn fn, void *arg, uint64_t *damaged,
		struct dr_err *err)
{
	struct dr_record_stream s = { 0 };
	struct dr_hash128 id;
	struct dr_record r;
	int rc = -1;

	if (dr_record_stream_open(&s, j->fd, j->pos, err))
		goto out;
	while ((rc = dr_record_next(&s, &r, NULL, err)) > 0) {
		if (dr_record_id(&r, &id)) {
			dr_id_sample_add(&j->sample, id);
			j->n_read += 1 + dr_record_weight(&r);
		}
		if (fn(arg, &r, err)) {
			rc = -1;
			goto out;
		}
		j->pos = s.good;
	}
	if (rc == 0)
		j->known = s.size;
	/* Of the rest, the end may be on its way; if nobody can be writing, it never comes. */
	if (rc == 0 && !others) {
		s.damaged += s.size - s.good;
		j->pos = s.size;
	}
out:
	if (damaged)
		*damaged = s.damaged;
	dr_record_stream_close(&s);
	return rc;
}

void
dr_journal_rewind(struct dr_journal *j)
{
	j->pos = sizeof(struct dr_journal_header);
	j->n_read = 0;
	j->sample = (struct dr_id_sample){ 0 };
}

int
dr_journal_at(struct dr_journal *j, uint64_t at, struct dr_record *r, struct dr_err *err)
{
	struct dr_record_head h;
	struct stat st;
	uint64_t size;
	ssize_t n;
	char *p;

	if (fstat(j->fd, &st))
		return dr_err_sys(err, errno, "look at %s", DR_JOURNAL_SHOWN);
	size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	if (at > size || size - at < sizeof(h))
		goto none;
	n = dr_pread_full(j->fd, &h, sizeof(h), (off_t)at);
	if (n < 0)
		return dr_err_sys(err, errno, "read %s", DR_JOURNAL_SHOWN);
	if (n < (ssize_t)sizeof(h) || !plausible(&h, size - at - sizeof(h)))
		goto none;
	dr_buf_reset(&j->one);
	p = dr_buf_room(&j->one, sizeof(h) + h.length);
	if (!p)
		return dr_err_nomem(err);
	n = dr_pread_full(j->fd, p, sizeof(h) + h.length, (off_t)at);
	if (n < 0)
		return dr_err_sys(err, errno, "read %s", DR_JOURNAL_SHOWN);
	if ((size_t)n < sizeof(h) + h.length || memcmp(p, &h, sizeof(h)) != 0 ||
	    !parse((uint8_t *)p, &h, at, r))
		goto none;
	return 0;
none:
	return dr_err_set(err, DR_STATE, "%s has no record at %" PRIu64, DR_JOURNAL_SHOWN, at);
}
