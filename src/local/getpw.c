#include "local/getpw.h"

#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>

#include "local/temporary.h"

static void
set_entry(struct str *entry, const char *user, uid_t uid, gid_t gid)
{
	str_copy(entry, span_of(user));
	str_append_char(entry, '\0');
	str_append_u64(entry, uid);
	str_append_char(entry, '\0');
	str_append_u64(entry, gid);
	str_append_char(entry, '\0');
}

static void
add_rest(struct str *entry, const char *home, const char *dash, struct span ext)
{
	str_append_cstr(entry, home);
	str_append_char(entry, '\0');
	str_append_cstr(entry, dash);
	str_append_char(entry, '\0');
	str_append_span(entry, ext);
	str_append_char(entry, '\0');
}

/* 0: *found is the account, or NULL if there is none; else an exit code. */
static int
ask_database(const char *name, struct passwd **found)
{
	errno = 0;
	*found = getpwnam(name);
	if (*found == NULL && temporary_error(errno))
		return GETPW_SYSTEM;
	return 0;
}

/*
 * Whether the account gets mail: it is not root, and its home is there and its
 * own. 1, 0, or an exit code.
 */
static int
is_user(const struct getpw_site *site, const struct passwd *account)
{
	struct stat home;

	if (account->pw_uid == 0 ||
	    (site->alone && account->pw_uid != site->me))
		return 0;
	if (stat(account->pw_dir, &home) == -1)
		return temporary_error(errno) ? GETPW_NFS : 0;
	return home.st_uid == account->pw_uid;
}

/* Tries the first len bytes of local as a name. 1, 0, or an exit code. */
static int
try_name(const struct getpw_site *site, struct span local, size_t len,
    struct str *entry)
{
	char name[GETPW_NAME_MAX + 1];
	struct passwd *account;
	int result;

	if (len == 0 || len > GETPW_NAME_MAX)
		return 0;
	for (size_t i = 0; i < len; i++)
		name[i] = span_lower(local.s[i]);
	name[len] = '\0';
	result = ask_database(name, &account);
	if (result != 0 || account == NULL)
		return result;
	result = is_user(site, account);
	if (result != 1)
		return result;
	set_entry(entry, account->pw_name, account->pw_uid, account->pw_gid);
	if (len == local.len)
		add_rest(entry, account->pw_dir, "", (struct span){"", 0});
	else
		add_rest(
		    entry, account->pw_dir, "-", span_from(local, len + 1));
	return 1;
}

static int
find_alias(const struct getpw_site *site, struct span local, struct str *entry)
{
	struct str home = STR_INIT;
	struct passwd *account;
	int result;

	if (site->alone) {
		account = getpwuid(site->me);
		set_entry(entry,
		    account != NULL ? account->pw_name : site->alias, site->me,
		    site->my_group);
		str_format(&home, "%s/alias", site->home);
		add_rest(entry, home.s, "-", local);
		str_free(&home);
		return 0;
	}
	result = ask_database(site->alias, &account);
	if (result != 0)
		return result;
	if (account == NULL)
		return GETPW_NO_ALIAS;
	set_entry(entry, account->pw_name, account->pw_uid, account->pw_gid);
	add_rest(entry, account->pw_dir, "-", local);
	return 0;
}

int
getpw_find(const struct getpw_site *site, struct span local, struct str *entry)
{
	for (size_t len = local.len; len > 0; len--) {
		int result;

		if (len < local.len && local.s[len] != '-')
			continue;
		result = try_name(site, local, len, entry);
		if (result != 0)
			return result == 1 ? 0 : result;
	}
	return find_alias(site, local, entry);
}
