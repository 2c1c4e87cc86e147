#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "admin/qtool.h"
#include "admin/queue_view.h"
#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "conf/control.h"

enum {
	STDIN_LINE_MAX = 1024 * 1024,
};

int
qtool_open_queue(void)
{
	int fd;

	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	fd = queue_view_open();
	if (fd == -1 && (errno == EACCES || errno == EPERM))
		die_perm("only root and the owner of the queue may do this");
	if (fd == -1)
		die_sys("cannot open queue");
	return fd;
}

uint64_t
qtool_parse_id(const char *text)
{
	uint64_t id;

	if (num_parse_u64(span_of(text), &id) == -1 || id == 0)
		die_perm("%s is not the number of a message", quote(text));
	return id;
}

void
qtool_add_id(struct qtool_ids *list, uint64_t id)
{
	if (list->count == list->room) {
		list->room = list->room * 2 + 64;
		list->ids =
		    mem_resize(list->ids, list->room, sizeof(*list->ids));
	}
	list->ids[list->count++] = id;
}

static bool
is_space(char byte)
{
	return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static void
read_ids(struct qtool_ids *list)
{
	struct str line = STR_INIT;
	char buffer[4096];
	struct in in;
	int got;

	in_init(&in, 0, 0, buffer, sizeof(buffer));
	while ((got = in_line(&in, &line, STDIN_LINE_MAX)) == 1) {
		size_t i = 0, start;

		while (i < line.len) {
			start = i;
			while (i < line.len && !is_space(line.s[i]))
				i++;
			if (i < line.len)
				line.s[i++] = '\0';
			if (line.s[start] != '\0')
				qtool_add_id(
				    list, qtool_parse_id(line.s + start));
		}
	}
	if (got == IN_ERROR)
		die_sys("cannot read standard input");
	if (got == IN_TOO_LONG)
		die_perm("standard input has no message numbers");
	str_free(&line);
}

void
qtool_take_ids(struct qtool_ids *list, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-") == 0)
			read_ids(list);
		else
			qtool_add_id(list, qtool_parse_id(argv[i]));
	}
}

void
qtool_fail_control(void)
{
	if (errno == EACCES || errno == EPERM)
		die_perm("only root and the owner of the queue may do this");
	if (errno == ENOENT || errno == ECONNREFUSED)
		die_temp("qmail-queued is not running");
	die_sys("cannot talk to qmail-queued");
}

void
qtool_open_control(struct queue_control *control)
{
	if (queue_control_open(control) == -1)
		qtool_fail_control();
}

void
qtool_load_orders(int queue_dir, struct order_set *orders)
{
	struct queue_control control;
	struct str file = STR_INIT;
	int fd;

	if (queue_control_open(&control) == 0) {
		int result = queue_control_list(&control, orders);

		queue_control_close(&control);
		if (result == 0)
			return;
		/* who may only read the queue reads the file */
		order_set_free(orders);
	}
	fd = openat(queue_dir, ORDER_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1 && errno == ENOENT)
		return;
	if (fd == -1 || file_read_fd(fd, 2 * ORDER_SET_BYTES_MAX, &file) == -1)
		die_sys("cannot read queue/" ORDER_FILE);
	fd_close(fd);
	if (order_set_read(orders, str_span(&file)) != 0)
		warn_plain("queue/" ORDER_FILE " is damaged");
	str_free(&file);
}

void
qtool_usage(const char *synopsis)
{
	struct str line = STR_INIT;

	str_format(&line, "qmail-qtool %s", synopsis);
	die_usage(line.s);
}
