#include <errno.h>

#include "admin/qtool.h"
#include "admin/queue_view.h"
#include "base/die.h"
#include "base/num.h"
#include "base/str.h"
#include "conf/control.h"

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
qtool_usage(const char *synopsis)
{
	struct str line = STR_INIT;

	str_format(&line, "qmail-qtool %s", synopsis);
	die_usage(line.s);
}
