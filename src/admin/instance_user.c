#include "admin/instance_user.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/random.h"
#include "base/str.h"

enum {
	PASSWORD_LEN = 20, /* characters of 64 kinds: 120 bits */
	SALT_LEN = 16,
	PASSWORD_FILE_MAX = 512,
};

/* Appends len random characters that stand for themselves everywhere. */
static void
append_random(struct str *to, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./";
	unsigned char bytes[64];

	if (random_fill(bytes, sizeof(bytes)) == -1)
		die_sys("cannot read /dev/urandom");
	for (size_t i = 0; i < len && i < sizeof(bytes); i++)
		str_append_char(to, letters[bytes[i] % 64]);
}

static void
make_mailbox(const struct place *place, const char *name)
{
	static const char *const parts[] = {
	    "", "/Maildir", "/Maildir/tmp", "/Maildir/new", "/Maildir/cur"};
	struct str path = STR_INIT;

	for (size_t i = 0; i < COUNT(parts); i++) {
		str_format(&path, "users/%s%s", name, parts[i]);
		(void)place_dir(place, path.s, 0700);
	}
	str_free(&path);
}

static void
make_password(const struct place *place, const char *name)
{
	struct str path = STR_INIT, password = STR_INIT, salt = STR_INIT;
	struct str line = STR_INIT;
	const char *hash;
	struct stat st;

	str_format(&path, "users/%s.password", name);
	if (lstat("users/passwd", &st) == -1) {
		append_random(&password, PASSWORD_LEN);
		str_append_char(&password, '\n');
		(void)place_file(place, path.s, str_span(&password), 0600);
		/* One that is kept from an earlier run is the one that counts.
		 */
		str_clear(&password);
		if (file_read(path.s, PASSWORD_FILE_MAX, &password) == -1)
			die_sys("cannot read %s", quote(path.s));
		str_truncate(&password, strcspn(password.s, "\n"));
		str_append_cstr(&salt, "$6$");
		append_random(&salt, SALT_LEN);
		hash = crypt(password.s, salt.s);
		if (!hash || hash[0] != '$')
			die_sys("cannot hash a password");
		str_format(&line, "%s:%s:::\n", name, hash);
	}
	(void)place_file(place, "users/passwd", str_span(&line), 0600);
	str_free(&path);
	str_free(&password);
	str_free(&salt);
	str_free(&line);
}

/* Runs bin/qmail-newu, unless its work is done already. */
static void
make_cdb(const char *home)
{
	static char newu[] = "bin/qmail-newu";
	char *argv[] = {newu, NULL};
	struct stat st;
	int status;
	pid_t pid;

	if (lstat("users/cdb", &st) == 0)
		return;
	if (setenv("QMAILHOME", home, 1) == -1)
		die_sys("cannot set QMAILHOME");
	pid = fork();
	if (pid == -1)
		die_sys("cannot start %s", newu);
	if (pid == 0) {
		execv(newu, argv);
		warn_sys("cannot run %s/%s", quote(home), newu);
		_exit(EXIT_TEMP);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			die_sys("cannot wait for %s", newu);
	if (status != 0)
		die_temp("%s failed: users/cdb is not made", newu);
}

void
instance_user_make(
    const struct place *place, const char *home, const char *name)
{
	struct str text = STR_INIT;
	unsigned long uid = (unsigned long)getuid();
	unsigned long gid = (unsigned long)getgid();

	make_mailbox(place, name);
	str_format(&text, "=%s:%s:%lu:%lu:%s/users/%s:::\n", name, name, uid,
	    gid, home, name);
	str_append_format(&text, "+%s-:%s:%lu:%lu:%s/users/%s:-::\n", name,
	    name, uid, gid, home, name);
	str_append_format(
	    &text, "+alias-:alias:%lu:%lu:%s/alias:-::\n", uid, gid, home);
	str_append_format(
	    &text, "+:alias:%lu:%lu:%s/alias:-::\n.\n", uid, gid, home);
	(void)place_file(place, "users/assign", str_span(&text), 0644);
	make_cdb(home);
	make_password(place, name);
	str_free(&text);
}
