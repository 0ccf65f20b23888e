#include "config.h"

#include "session-space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "os.h"

/* Processes have waited for memory for this share of the last seconds: nothing more is to start. */
#define PRESSED 0.1

/* Asked by the scheduler. */

static uint64_t
memory(struct dr_room *r, bool *pressed)
{
	(void)r;
	*pressed = dr_memory_pressure() >= PRESSED;
	return dr_memory_available();
}

static uint64_t
left_on(const struct dr_space *sp, uint32_t volume)
{
	uint64_t bytes, reserve = sp->session->options.reserve;

	/* A disk that does not tell is one that has room. */
	if (dr_disk_space(sp->session->root, sp->volumes[volume].dir, &bytes))
		return UINT64_MAX;
	return bytes > reserve ? bytes - reserve : 0;
}

static uint64_t
disk(struct dr_room *r, uint32_t volume)
{
	return left_on((const struct dr_space *)r, volume);
}

/* Where stages write. */

static bool
is_stale(const struct dr_task *t)
{
	return t->state != DR_UNWANTED && t->state != DR_CLEAN;
}

/* The device of the directory that a path will lie in, and the nearest directory there that there is by now, into dir. */
static int
find_device(const struct dr_session *s, struct dr_buf *dir, uint64_t *device)
{
	struct stat st;

	for (;;) {
		while (dir->n && dir->p[dir->n - 1] != '/')
			dir->n--;
		while (dir->n > 1 && dir->p[dir->n - 1] == '/')
			dir->n--;
		if (!dir->n)
			dr_buf_addc(dir, '.');
		if (dir->failed)
			return -1;
		dir->p[dir->n] = '\0';
		if (fstatat(s->root, dir->p, &st, 0) == 0 && S_ISDIR(st.st_mode)) {
			*device = (uint64_t)st.st_dev;
			return 0;
		}
		if (!strcmp(dir->p, ".") || !strcmp(dir->p, "/"))
			return -1;
	}
}

/* By the first task of the stage that is to run and makes something. */
static int
place_stage(struct dr_space *sp, uint32_t task)
{
	struct dr_session *s = sp->session;
	const struct dr_graph *g = s->plan->graph;
	struct dr_buf dir = { 0 };
	uint64_t device = 0;
	uint32_t v = 0;
	int rc = 0;

	dr_graph_path(g, *dr_graph_outputs(g, task), &dir);
	if (dir.failed || find_device(s, &dir, &device)) {
		dr_buf_reset(&dir);
		dr_buf_addc(&dir, '.');
	}
	while (v < sp->n_volumes && sp->volumes[v].device != device)
		v++;
	if (v == sp->n_volumes) {
		sp->volumes[v] = (struct dr_space_volume){ .device = device, .dir = dir.failed ? NULL : strdup(dr_buf_cstr(&dir)) };
		rc = sp->volumes[v].dir ? 0 : -1;
		sp->n_volumes++;
	}
	sp->volume[g->tasks[task].stage] = v;
	dr_buf_free(&dir);
	return rc;
}

static int
place(struct dr_space *sp)
{
	const struct dr_graph *g = sp->session->plan->graph;
	uint32_t n = sp->session->pipeline->n_stages;

	/* At most one a stage, and one that is there in any case. */
	sp->volumes = calloc((size_t)n + 1, sizeof(*sp->volumes));
	sp->volume = malloc(((size_t)n + 1) * sizeof(*sp->volume));
	if (!sp->volumes || !sp->volume)
		return -1;
	memset(sp->volume, 0xff, ((size_t)n + 1) * sizeof(*sp->volume));
	for (uint32_t t = 0; t < g->n_tasks; t++)
		if (is_stale(&g->tasks[t]) && g->tasks[t].n_out && sp->volume[g->tasks[t].stage] == UINT32_MAX && place_stage(sp, t))
			return -1;
	for (uint32_t i = 0; i < n; i++)
		sp->volume[i] = sp->volume[i] == UINT32_MAX ? 0 : sp->volume[i];
	if (!sp->n_volumes && !(sp->volumes[sp->n_volumes++].dir = strdup(".")))
		return -1;
	return 0;
}

/* How much is written. */

/* What a stage made of what it read. */
struct share {
	uint64_t in, out, n; /* bytes, bytes, outputs */
};

/* Bytes that a task reads; sizes: by file, of those that have been reckoned. */
static uint64_t
reads(const struct dr_graph *g, const uint64_t *sizes, uint32_t task)
{
	const uint32_t *in = dr_graph_inputs(g, task);
	uint64_t n = 0;

	for (uint32_t i = 0; i < g->tasks[task].n_in; i++)
		n += sizes[in[i]];
	return n;
}

/* Of a file as it is, or as the record of one that was reclaimed tells; else 0. */
static uint64_t
size_of(const struct dr_file *f)
{
	return f->stamp.size > 0 ? (uint64_t)f->stamp.size : 0;
}

static bool
is_known(const struct dr_graph *g, uint32_t task)
{
	return g->tasks[task].n_out && g->files[*dr_graph_outputs(g, task)].stamp.size >= 0;
}

/* Goes through the tasks in their order; those that were made before teach what those that were not will make. */
static void
reckon(struct dr_space *sp, struct share *shares, uint64_t *sizes)
{
	const struct dr_graph *g = sp->session->plan->graph;

	for (uint32_t f = 0; f < g->n_files; f++)
		sizes[f] = size_of(&g->files[f]);
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		struct share *h = &shares[g->tasks[t].stage];

		if (!is_known(g, t))
			continue;
		h->in += reads(g, sizes, t);
		for (uint32_t i = 0; i < g->tasks[t].n_out; i++, h->n++)
			h->out += sizes[dr_graph_outputs(g, t)[i]];
	}
	for (uint32_t i = 0; i < g->n_tasks; i++) {
		uint32_t t = g->order[i], n_out = g->tasks[t].n_out;
		const struct share *h = &shares[g->tasks[t].stage];
		const uint32_t *out = dr_graph_outputs(g, t);
		uint64_t all = reads(g, sizes, t);

		if (!is_stale(&g->tasks[t]))
			continue;
		if (h->in)
			all = (uint64_t)((double)all * ((double)h->out / (double)h->in));
		else if (h->n)
			all = h->out / h->n * n_out;
		for (uint32_t k = 0; k < n_out; k++) {
			if (!is_known(g, t))
				sizes[out[k]] = all / n_out;
			sp->bytes[t] += sizes[out[k]];
		}
	}
}

/* What the disks hold more at most, if tasks run one after the other in the plan's order, and what is to be reclaimed goes when it has been
 * read. */
static void
walk(struct dr_space *sp, const uint64_t *sizes, uint32_t *readers)
{
	const struct dr_graph *g = sp->session->plan->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++)
		for (uint32_t i = 0; is_stale(&g->tasks[t]) && i < g->tasks[t].n_in + g->tasks[t].n_uses; i++)
			readers[dr_graph_inputs(g, t)[i]]++;
	for (uint32_t i = 0; i < g->n_tasks; i++) {
		uint32_t t = g->order[i];
		const uint32_t *in = dr_graph_inputs(g, t), *out = dr_graph_outputs(g, t);
		struct dr_space_volume *v = &sp->volumes[sp->volume[g->tasks[t].stage]];

		if (!is_stale(&g->tasks[t]))
			continue;
		v->now += (int64_t)sp->bytes[t];
		if (v->now > v->peak)
			v->peak = v->now;
		for (uint32_t k = 0; k < g->tasks[t].n_out; k++)
			if (!(g->files[out[k]].flags & DR_FILE_ABSENT))
				v->now -= (int64_t)size_of(&g->files[out[k]]);
		for (uint32_t k = 0; k < g->tasks[t].n_in + g->tasks[t].n_uses; k++) {
			const struct dr_file *f = &g->files[in[k]];

			if (--readers[in[k]] || f->producer == DR_NONE || (f->flags & (DR_FILE_KEEP | DR_FILE_TARGET)))
				continue;
			sp->volumes[sp->volume[g->tasks[f->producer].stage]].now -= (int64_t)sizes[in[k]];
		}
	}
}

static void
tell(struct dr_space *sp)
{
	struct dr_session *s = sp->session;

	for (uint32_t i = 0; i < sp->n_volumes; i++) {
		const struct dr_space_volume *v = &sp->volumes[i];
		uint64_t left = left_on(sp, i);

		if (v->peak <= 0 || (uint64_t)v->peak <= left)
			continue;
		dr_buf_reset(&s->text);
		dr_buf_adds(&s->text, "about ");
		dr_buf_bytes(&s->text, (uint64_t)v->peak);
		dr_buf_adds(&s->text, " will be on the disk of ");
		dr_buf_escape(&s->text, dr_str(v->dir));
		dr_buf_adds(&s->text, " beside what is there now, and only ");
		dr_buf_bytes(&s->text, left);
		dr_buf_adds(&s->text, s->options.reserve ? " of it may be used" : " of it are free");
		dr_session_message(s, DR_WARNING, dr_buf_cstr(&s->text));
	}
}

int
dr_session_space_open(struct dr_session *s, struct dr_space *sp, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	uint64_t *sizes = calloc((size_t)g->n_files + 1, sizeof(*sizes));
	uint32_t *readers = calloc((size_t)g->n_files + 1, sizeof(*readers));
	struct share *shares = calloc((size_t)s->pipeline->n_stages + 1, sizeof(*shares));
	int rc = -1;

	*sp = (struct dr_space){ .session = s, .room = { memory, disk } };
	sp->bytes = calloc((size_t)g->n_tasks + 1, sizeof(*sp->bytes));
	if (!sizes || !readers || !shares || !sp->bytes || place(sp)) {
		dr_err_nomem(err);
		goto out;
	}
	reckon(sp, shares, sizes);
	walk(sp, sizes, readers);
	tell(sp);
	sp->claimed = s->options.reserve > 0;
	for (uint32_t i = 0; i < s->pipeline->n_stages; i++)
		sp->claimed |= s->pipeline->stages[i].memory || s->pipeline->stages[i].disk;
	rc = 0;
out:
	free(sizes);
	free(readers);
	free(shares);
	return rc;
}

void
dr_session_space_close(struct dr_space *sp)
{
	for (uint32_t i = 0; i < sp->n_volumes; i++)
		free(sp->volumes[i].dir);
	free(sp->volumes);
	free(sp->volume);
	free(sp->bytes);
}
