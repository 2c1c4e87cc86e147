/* classify: local or remote, and under which address */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "conf/classify.h"

struct row {
	const char *what, *percenthack, *locals, *virtualdomains, *input, *want;
	enum channel_kind channel;
};

/* A map from bytes: by way of a file, as in life. */
static void
load_map(const char *text, struct control_table *table)
{
	char path[] = "/tmp/classify_test.XXXXXX";
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
	assert_int_equal(control_map(path, table), 1);
	assert_int_equal(unlink(path), 0);
}

static void
load(const struct row *row, struct classify_tables *tables)
{
	*tables = (struct classify_tables)CLASSIFY_TABLES_INIT;
	str_copy(&tables->envnoathost, SPAN_LITERAL("noat.example"));
	assert_int_equal(
	    control_list_of(span_of(row->percenthack), &tables->percenthack),
	    0);
	assert_int_equal(
	    control_list_of(span_of(row->locals), &tables->locals), 0);
	load_map(row->virtualdomains, &tables->virtualdomains);
}

#define VIRTUALS                                                               \
	"vd.example:alias-vd\nu@addr.example:alias-ad\n"                       \
	".wild.example:alias-w\nno.wild.example:\n"

static const struct row rows[] = {
    {"a virtual domain gets its prefix, whatever the local part holds", "", "",
	VIRTUALS, "us er@vd.example", "alias-vd-us er@vd.example",
	CHANNEL_LOCAL},
    {"a virtual address is local", "", "", VIRTUALS, "u@addr.example",
	"alias-ad-u@addr.example", CHANNEL_LOCAL},
    {"another address of its domain is not", "", "", VIRTUALS, "x@addr.example",
	"x@addr.example", CHANNEL_REMOTE},
    {"a key with a dot holds what is below", "", "", VIRTUALS,
	"a@b.wild.example", "alias-w-a@b.wild.example", CHANNEL_LOCAL},
    {"an empty prefix takes a domain out", "", "", VIRTUALS,
	"x@no.wild.example", "x@no.wild.example", CHANNEL_REMOTE},
    {"a key with a dot does not hold the domain itself", "", "", VIRTUALS,
	"x@wild.example", "x@wild.example", CHANNEL_REMOTE},
    {"the empty key holds everything", "", "", VIRTUALS ":alias-all\n", "u@d",
	"alias-all-u@d", CHANNEL_LOCAL},
    {"but for what is taken out", "", "", VIRTUALS ":alias-all\n",
	"x@no.wild.example", "x@no.wild.example", CHANNEL_REMOTE},
    {"the whole address comes before its domain", "", "",
	"u@d.example:whole\nd.example:domain\n.example:end\n:all\n",
	"u@d.example", "whole-u@d.example", CHANNEL_LOCAL},
    {"the domain before its ends", "", "",
	"d.example:domain\n.example:end\n:all\n", "u@d.example",
	"domain-u@d.example", CHANNEL_LOCAL},
    {"a longer end before a shorter one", "", "",
	":all\n.example:short\n.d.example:long\n", "u@c.d.example",
	"long-u@c.d.example", CHANNEL_LOCAL},
    {"any end before the empty key", "", "", ":all\n.example:end\n",
	"u@c.d.example", "end-u@c.d.example", CHANNEL_LOCAL},
    {"an empty value of the whole address decides too", "", "",
	"u@d.example:\nd.example:domain\n", "u@d.example", "u@d.example",
	CHANNEL_REMOTE},
    {"percenthack uses the last percent", "perc.example", "local.example", "",
	"x%perc%local.example@perc.example", "x%perc@local.example",
	CHANNEL_LOCAL},
    {"percenthack goes on while the domain is listed", "perc.example", "", "",
	"u%h.example%perc.example@PERC.example", "u@h.example", CHANNEL_REMOTE},
    {"percenthack without a percent changes nothing", "perc.example", "", "",
	"u@perc.example", "u@perc.example", CHANNEL_REMOTE},
    {"percenthack leaves other domains alone", "perc.example", "", "",
	"u%perc.example@h", "u%perc.example@h", CHANNEL_REMOTE},
    {"no at: envnoathost", "", "", "", "nohost", "nohost@noat.example",
	CHANNEL_REMOTE},
    {"empty: envnoathost", "", "noat.example", "", "", "@noat.example",
	CHANNEL_LOCAL},
    {"locals go by whole domains without case", "", "Local.Example", "",
	"U@lOCAL.eXAMPLE", "U@lOCAL.eXAMPLE", CHANNEL_LOCAL},
    {"locals do not hold subdomains", "", "local.example", "",
	"u@sub.local.example", "u@sub.local.example", CHANNEL_REMOTE},
    {"locals win over virtualdomains", "", "vd.example", VIRTUALS,
	"u@vd.example", "u@vd.example", CHANNEL_LOCAL},
    {"keys compare without case, the address keeps its own", "", "", VIRTUALS,
	"U@Addr.Example", "alias-ad-U@Addr.Example", CHANNEL_LOCAL},
    {"the domain follows the last at", "", "", VIRTUALS, "a@b@vd.example",
	"alias-vd-a@b@vd.example", CHANNEL_LOCAL},
    {"an empty domain is remote", "", "local.example", VIRTUALS, "u@", "u@",
	CHANNEL_REMOTE},
};

static void
rewrites(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct classify_tables tables;
		struct str to = STR_INIT;
		enum channel_kind channel;

		load(&rows[i], &tables);
		channel =
		    classify_recipient(&tables, span_of(rows[i].input), &to);
		if (strcmp(to.s, rows[i].want) != 0 ||
		    channel != rows[i].channel)
			fail_msg("%s: got %s", rows[i].what, to.s);
		str_free(&to);
		classify_tables_free(&tables);
	}
}

static void
keeps_what_was_rewritten_before(void **state)
{
	static const struct {
		const char *what;
		char letter;
		const char *input, *want;
		enum channel_kind channel;
	} kept[] = {
	    {"T is rewritten", 'T', "u@vd.example", "alias-vd-u@vd.example",
		CHANNEL_LOCAL},
	    {"L has its prefix already", 'L', "alias-vd-u@vd.example",
		"alias-vd-u@vd.example", CHANNEL_LOCAL},
	    {"L stays local though nothing says so", 'L', "u@gone.example",
		"u@gone.example", CHANNEL_LOCAL},
	    {"R stays remote though the domain is local now", 'R',
		"u@local.example", "u@local.example", CHANNEL_REMOTE},
	};
	static const struct row control = {
	    "", "", "local.example", VIRTUALS, "", "", CHANNEL_LOCAL};
	struct classify_tables tables;
	struct str to = STR_INIT;

	(void)state;
	load(&control, &tables);
	for (size_t i = 0; i < COUNT(kept); i++) {
		enum channel_kind channel = classify_queued(
		    &tables, kept[i].letter, span_of(kept[i].input), &to);

		if (channel != kept[i].channel ||
		    strcmp(to.s, kept[i].want) != 0)
			fail_msg("%s: got %s", kept[i].what, to.s);
	}
	str_free(&to);
	classify_tables_free(&tables);
}

static void
strips_prefixes(void **state)
{
	static const struct {
		const char *what, *input, *want;
	} strips[] = {
	    {"the prefix of a domain", "alias-vd-u@vd.example", "u@vd.example"},
	    {"the prefix of a wildcard", "alias-w-u@b.wild.example",
		"u@b.wild.example"},
	    {"the prefix of the empty key", "alias-all-u@d", "u@d"},
	    {"not that of a whole address", "alias-ad-u@addr.example",
		"alias-ad-u@addr.example"},
	    {"not in another case", "Alias-vd-u@vd.example",
		"Alias-vd-u@vd.example"},
	    {"not without its dash", "alias-vdu@vd.example",
		"alias-vdu@vd.example"},
	    {"not of a local domain", "alias-l-u@local.example",
		"alias-l-u@local.example"},
	    {"an address that is the prefix", "alias-vd", "alias-vd"},
	};
	static const struct row control = {"", "", "local.example",
	    VIRTUALS "local.example:alias-l\n:alias-all\n", "", "",
	    CHANNEL_LOCAL};
	struct classify_tables tables;

	(void)state;
	load(&control, &tables);
	for (size_t i = 0; i < COUNT(strips); i++) {
		struct span got =
		    classify_without_prefix(&tables, span_of(strips[i].input));

		if (!span_is(got, strips[i].want))
			fail_msg("%s", strips[i].what);
	}
	classify_tables_free(&tables);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rewrites),
	    cmocka_unit_test(keeps_what_was_rewritten_before),
	    cmocka_unit_test(strips_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
