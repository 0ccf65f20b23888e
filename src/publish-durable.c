#include "config.h"

#include "publish.h"

#include <errno.h>
#include <string.h>

#include "barrier.h"
#include "err.h"
#include "os.h"
#include "publish-private.h"

void
dr_publisher_endure(struct dr_publisher *p, struct dr_barrier *b, int64_t hash_until, bool durable)
{
	p->barrier = b;
	p->hash_until = hash_until;
	p->durable = durable;
}

void
dr_publish_describe_output(struct dr_publisher *p, uint32_t file, const char *name, struct dr_rec_file *f)
{
	bool tree = p->graph->files[file].flags & DR_FILE_TREE;

	if (tree || p->durable || f->stamp.size > DR_PUBLISH_OUTPUT_HASH_MAX || !p->hash_until || dr_realtime() > p->hash_until)
		return;
	if (!f->stamp.size)
		f->content = dr_hash128("", 0);
	else if (p->disk->hash(p->disk, name, f->stamp.size, &f->content))
		return;
	f->flags |= DR_REC_HASHED;
}

int
dr_publish_sync_outputs(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const uint32_t *out = dr_graph_outputs(p->graph, task);

	for (uint32_t i = 0; p->durable && i < p->graph->tasks[task].n_out; i++) {
		uint32_t flags = p->graph->files[out[i]].flags;
		bool tree = flags & DR_FILE_TREE;
		/* What came out as it was does not take its place: then that is what the record is about. */
		const char *name = flags & DR_FILE_SAME ? dr_publish_path(p, out[i], err) : dr_publish_temp(p, task, out[i], err);

		if (!name)
			return -1;
		if (p->disk->sync(p->disk, name, tree ? DR_DISK_ALL : DR_DISK_FILE))
			return dr_err_sys(err, errno, "sync %s", dr_publish_shown(p, out[i]));
	}
	return 0;
}

int
dr_publish_sync_journal(struct dr_publisher *p, struct dr_err *err)
{
	if (p->durable && dr_journal_sync(p->journal))
		return dr_err_sys(err, errno, "sync .dagrun/journal");
	return 0;
}

int
dr_publish_sync_name(struct dr_publisher *p, uint32_t file, struct dr_err *err)
{
	const char *path = dr_publish_path(p, file, err), *slash = path ? strrchr(path, '/') : NULL;

	if (!path)
		return -1;
	dr_barrier_add(p->barrier, path, p->graph->files[file].flags & DR_FILE_TREE);
	if (!p->durable)
		return 0;
	dr_buf_reset(&p->temp);
	dr_buf_add(&p->temp, path, slash == path ? 1 : slash ? (size_t)(slash - path) : 0);
	if (p->temp.failed)
		return dr_err_nomem(err);
	if (p->disk->sync(p->disk, dr_buf_cstr(&p->temp), DR_DISK_DIR))
		return dr_err_sys(err, errno, "sync the directory of %s", dr_publish_shown(p, file));
	return 0;
}
