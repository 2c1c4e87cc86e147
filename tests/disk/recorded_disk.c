/*
 * recorded_disk - a disk in a file, of which each write and flush is recorded
 *
 * recorded_disk MOUNTPOINT IMAGE LOG
 *
 * Serves IMAGE as MOUNTPOINT/disk, for a loop device, by speaking to /dev/fuse
 * itself: so it needs no library, but root. It says "ready" when that is
 * mounted, and ends when it is unmounted. LOG begins with a u64, the number of
 * records; whoever maps it knows how far the disk is. Records:
 *   u64 offset, u64 length, so many bytes   a write
 *   u64 0, u64 0                            a flush that has ended
 * A flush takes a while, as on a real disk. Requests are served one after the
 * other, so a flush covers the writes that stand before it.
 * Exit: 0 unmounted; 77 this machine cannot do it; 111 something failed
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	WRITE_MAX = 1 << 20,
	DISK = 2, /* its node; the directory is FUSE_ROOT_ID */
	FLUSH_NS = 1000 * 1000,
	CANNOT = 77,
};

static struct {
	int fuse, log;
	char *disk;
	size_t size;
	uint64_t *count; /* at the start of the log */
	off_t log_end;
} serve;

static void
fail(const char *what, int code)
{
	fprintf(stderr, "recorded_disk: %s: %s\n", what, strerror(errno));
	exit(code);
}

static void
record(uint64_t offset, const void *data, size_t len)
{
	uint64_t head[2] = {offset, len};
	struct iovec parts[2] = {
	    {head, sizeof(head)}, {(void *)(uintptr_t)data, len}};
	ssize_t whole = (ssize_t)(sizeof(head) + len);

	if (pwritev(serve.log, parts, 2, serve.log_end) != whole)
		fail("cannot write the log", 111);
	serve.log_end += whole;
	__atomic_add_fetch(serve.count, 1, __ATOMIC_SEQ_CST);
}

static void
answer(uint64_t unique, int error, const void *data, size_t len)
{
	struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + len),
	    .error = -error,
	    .unique = unique};
	struct iovec parts[2] = {
	    {&head, sizeof(head)}, {(void *)(uintptr_t)data, len}};

	/* ENOENT: nobody waits for it any more */
	if (writev(serve.fuse, parts, 2) == -1 && errno != ENOENT)
		fail("cannot answer", 111);
}

static struct fuse_attr
attributes(uint64_t node)
{
	if (node == DISK)
		return (struct fuse_attr){.ino = node,
		    .size = serve.size,
		    .blocks = serve.size / 512,
		    .mode = S_IFREG | 0600,
		    .nlink = 1,
		    .blksize = 4096};
	return (struct fuse_attr){
	    .ino = node, .mode = S_IFDIR | 0700, .nlink = 2, .blksize = 4096};
}

static void
start(const struct fuse_in_header *in, const struct fuse_init_in *want)
{
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
	    .minor = FUSE_KERNEL_MINOR_VERSION,
	    .max_readahead = want->max_readahead,
	    .flags = want->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES),
	    .max_background = 16,
	    .congestion_threshold = 12,
	    .max_write = WRITE_MAX,
	    .time_gran = 1,
	    .max_pages = WRITE_MAX / 4096};

	answer(in->unique, 0, &out, sizeof(out));
}

static void
look_up(const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = {.nodeid = DISK,
	    .entry_valid = 3600,
	    .attr_valid = 3600,
	    .attr = attributes(DISK)};

	if (in->nodeid != FUSE_ROOT_ID || strcmp(name, "disk") != 0)
		answer(in->unique, ENOENT, NULL, 0);
	else
		answer(in->unique, 0, &out, sizeof(out));
}

static void
read_disk(const struct fuse_in_header *in, const struct fuse_read_in *want)
{
	size_t len = want->size;

	if (want->offset >= serve.size)
		len = 0;
	else if (len > serve.size - want->offset)
		len = serve.size - want->offset;
	answer(in->unique, 0, serve.disk + (len ? want->offset : 0), len);
}

static void
write_disk(const struct fuse_in_header *in, const struct fuse_write_in *want)
{
	struct fuse_write_out out = {.size = want->size};

	if (want->offset > serve.size ||
	    want->size > serve.size - want->offset) {
		answer(in->unique, EFBIG, NULL, 0);
		return;
	}
	memcpy(serve.disk + want->offset, want + 1, want->size);
	record(want->offset, want + 1, want->size);
	answer(in->unique, 0, &out, sizeof(out));
}

static void
flush_disk(const struct fuse_in_header *in)
{
	struct timespec while_it_takes = {0, FLUSH_NS};

	(void)nanosleep(&while_it_takes, NULL); /* any time will do */
	record(0, NULL, 0);
	answer(in->unique, 0, NULL, 0);
}

static void
one_request(const struct fuse_in_header *in, const void *body)
{
	struct fuse_attr_out attr = {
	    .attr_valid = 3600, .attr = attributes(in->nodeid)};
	struct fuse_open_out opened = {.open_flags = FOPEN_KEEP_CACHE};

	switch (in->opcode) {
	case FUSE_INIT:
		start(in, body);
		break;
	case FUSE_LOOKUP:
		look_up(in, body);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		answer(in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		read_disk(in, body);
		break;
	case FUSE_WRITE:
		write_disk(in, body);
		break;
	case FUSE_FSYNC:
		flush_disk(in);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_DESTROY:
		answer(in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* nobody waits for an answer */
	default:
		answer(in->unique, ENOSYS, NULL, 0);
	}
}

static void
serve_all(void)
{
	size_t room = WRITE_MAX + 65536;
	char *buf = aligned_alloc(4096, room);

	if (buf == NULL)
		fail("no memory", 111);
	for (;;) {
		ssize_t got = read(serve.fuse, buf, room);

		if (got == -1 && errno == ENODEV)
			return; /* unmounted */
		if (got == -1 && (errno == EINTR || errno == ENOENT))
			continue;
		if (got < (ssize_t)sizeof(struct fuse_in_header))
			fail("cannot read a request", 111);
		one_request((const struct fuse_in_header *)buf,
		    buf + sizeof(struct fuse_in_header));
	}
}

static void
open_files(const char *image, const char *log)
{
	struct stat st;
	int fd = open(image, O_RDWR | O_CLOEXEC);

	if (fd == -1 || fstat(fd, &st) == -1)
		fail(image, 111);
	serve.size = (size_t)st.st_size;
	serve.disk =
	    mmap(NULL, serve.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	serve.log = open(log, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	serve.log_end = sizeof(*serve.count);
	if (serve.disk == MAP_FAILED || serve.log == -1 ||
	    ftruncate(serve.log, serve.log_end) == -1)
		fail(log, 111);
	serve.count = mmap(NULL, sizeof(*serve.count), PROT_READ | PROT_WRITE,
	    MAP_SHARED, serve.log, 0);
	if (serve.count == MAP_FAILED)
		fail(log, 111);
}

int
main(int argc, char **argv)
{
	char options[100];

	if (argc != 4) {
		fprintf(stderr, "usage: recorded_disk mountpoint image log\n");
		return 100;
	}
	open_files(argv[2], argv[3]);
	serve.fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (serve.fuse == -1)
		fail("/dev/fuse", CANNOT);
	snprintf(options, sizeof(options),
	    "fd=%d,rootmode=40700,user_id=0,group_id=0,allow_other",
	    serve.fuse);
	if (mount("recorded_disk", argv[1], "fuse", MS_NOSUID | MS_NODEV,
		options) == -1)
		fail("cannot mount", CANNOT);
	puts("ready");
	fflush(stdout);
	serve_all();
	return 0;
}
