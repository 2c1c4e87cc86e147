#include "conf/rcpthosts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "mail/address.h"

/* Without control/rcpthosts: what control/locals and virtualdomains say. */
static int
load_own(struct rcpthosts *hosts)
{
	struct str me = STR_INIT;
	int found = control_list("control/locals", &hosts->hosts);

	hosts->is_missing = true;
	if (found == 0) {
		found = control_line("control/me", &me);
		if (found == 1)
			found = control_list_of(str_span(&me), &hosts->hosts);
		str_free(&me);
	}
	if (found == -1)
		return -1;
	found = control_map("control/virtualdomains", &hosts->virtuals);
	return found == -1 ? -1 : 0;
}

int
rcpthosts_load(struct rcpthosts *hosts)
{
	int found = control_list("control/rcpthosts", &hosts->hosts);

	if (found == 0)
		return load_own(hosts);
	return found == -1 ? -1 : 0;
}

void
rcpthosts_free(struct rcpthosts *hosts)
{
	control_table_free(&hosts->hosts);
	control_table_free(&hosts->virtuals);
	fd_close(hosts->more_fd);
	*hosts = (struct rcpthosts)RCPTHOSTS_INIT;
}

/* Opens the cdb unless that was tried before; it may be missing. */
static int
open_more(struct rcpthosts *hosts)
{
	int fd;

	if (hosts->is_more_tried)
		return 0;
	fd = open("control/morercpthosts.cdb", O_RDONLY | O_CLOEXEC);
	if (fd == -1 && errno != ENOENT)
		return -1;
	if (fd != -1 && cdb_open(&hosts->more, fd) == -1) {
		fd_close(fd);
		return -1;
	}
	hosts->more_fd = fd;
	hosts->is_more_tried = true;
	return 0;
}

/* Looks for domain, then for each of its suffixes that starts with a dot. */
static int
find_more(struct rcpthosts *hosts, struct span domain)
{
	struct str key = STR_INIT, data = STR_INIT;
	int found = 0;

	if (open_more(hosts) == -1)
		return -1;
	if (hosts->more_fd == -1)
		return 0;
	for (size_t i = 0; i < domain.len; i++)
		str_append_char(&key, span_lower(domain.s[i]));
	for (size_t i = 0; i < domain.len && found == 0; i++) {
		if (i == 0 || key.s[i] == '.')
			found = cdb_find(
			    &hosts->more, span_from(str_span(&key), i), &data);
	}
	str_free(&key);
	str_free(&data);
	return found;
}

static int
is_own(const struct rcpthosts *hosts, struct span recipient, struct span domain)
{
	struct span value;

	/* scheduling asks in the same order: locals win */
	if (control_has(&hosts->hosts, domain))
		return 1;
	if (control_find(&hosts->virtuals, recipient, &value) ||
	    control_find_domain(&hosts->virtuals, domain, false, &value))
		return value.len > 0;
	return 0;
}

int
rcpthosts_allows(struct rcpthosts *hosts, struct span recipient)
{
	struct span domain = address_domain(recipient), value;

	if (address_at(recipient) == SPAN_NONE)
		return 1;
	if (hosts->is_missing)
		return is_own(hosts, recipient, domain);
	if (control_find_domain(&hosts->hosts, domain, false, &value))
		return 1;
	return find_more(hosts, domain);
}
