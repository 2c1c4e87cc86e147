#include "conf/rcpthosts.h"

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
	key_database_free(&hosts->more);
	*hosts = (struct rcpthosts)RCPTHOSTS_INIT;
}

/* Looks for domain, then for each of its suffixes that starts with a dot. */
static int
find_more(struct rcpthosts *hosts, struct span domain)
{
	int found = 0;

	for (size_t i = 0; i < domain.len && found == 0; i++) {
		if (i == 0 || domain.s[i] == '.')
			found = key_database_has(
			    &hosts->more, span_from(domain, i));
	}
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
