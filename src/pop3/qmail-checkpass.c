/*
 * qmail-checkpass - check a password, become its owner, run a program
 * Runs as: root or an ordinary user, under qmail-popup
 * Trusts:  its arguments and environment, users/passwd
 * Reads:   descriptor 3: user NUL password NUL anything NUL, 512 bytes at
 *          most; users/passwd in the home of cqmail
 * Writes:  nothing
 * Exit:    1 wrong user or password; 2 misuse; 111 temporary, or set up
 *          wrongly; else what the program exits with; 0 with -c; 100 with
 *          -c and no password
 *
 * The interface is checkpassword's. With -c it prints a hash for users/passwd
 * of the password on descriptor 0 instead.
 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/privilege.h"
#include "base/random.h"
#include "base/str.h"
#include "conf/control.h"
#include "pop3/password_file.h"

enum {
	EXIT_REJECTED = 1,
	EXIT_MISUSE = 2,
	SECRET_MAX = 512, /* bytes on descriptor 3 */
	READ_MAX_S = 60,
	SALT_LEN = 16,
};

#define PASSWORD_PATH "users/passwd"

/* Hashes the password of nobody: an unknown user takes as long as a known one.
   The salt is as good as any. */
#define NOBODY_SETTING "$6$ThisIsNobodysSal"

static struct {
	char secret[SECRET_MAX];
	size_t secret_len;
	struct str text; /* of users/passwd */
} checkpass = {.text = STR_INIT};

static NORETURN void
misuse(const char *text)
{
	warn_plain("%s", text);
	_exit(EXIT_MISUSE);
}

/* Reads up to max bytes until the end of file. */
static size_t
read_all(int fd, char *buf, size_t max)
{
	size_t len = 0;

	for (;;) {
		char extra;
		bool is_full = len == max;
		ssize_t got = fd_read_timeout(fd, is_full ? &extra : buf + len,
		    is_full ? 1 : max - len, READ_MAX_S);

		if (got == -1 && errno == EBADF)
			misuse("descriptor 3 is not open");
		if (got == -1)
			die_sys("cannot read the password");
		if (got == 0)
			return len;
		if (is_full)
			misuse("user and password are too long");
		len += (size_t)got;
	}
}

/* Takes what precedes the next NUL. */
static struct span
take_secret(struct span *rest)
{
	struct span all = *rest;
	size_t nul = span_find(all, '\0');

	if (nul == SPAN_NONE)
		misuse("no user and password on descriptor 3");
	*rest = span_from(all, nul + 1);
	return span_until(all, nul);
}

static void
read_password_file(void)
{
	struct stat st;
	int fd = open(PASSWORD_PATH, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1 || fstat(fd, &st) == -1)
		die_sys("cannot open %s", PASSWORD_PATH);
	if (!S_ISREG(st.st_mode))
		die_temp("%s is not a file", PASSWORD_PATH);
	if ((st.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		die_temp("%s is open to others: chmod it to 0600 or 0640",
		    PASSWORD_PATH);
	if (file_read_fd(fd, PASSWORD_FILE_MAX, &checkpass.text) == -1)
		die_sys("cannot read %s", PASSWORD_PATH);
	fd_close(fd);
}

/* Compares without telling by the time taken where the first difference is. */
static bool
is_same(struct span a, struct span b)
{
	unsigned difference = a.len != b.len;

	for (size_t i = 0; i < a.len && i < b.len; i++)
		difference |= (unsigned char)(a.s[i] ^ b.s[i]);
	return difference == 0;
}

/* password ends with NUL. Takes the time of one crypt whatever happens. */
static bool
is_right(struct span hash, const char *password)
{
	struct str setting = STR_INIT;
	const char *made;
	bool right;

	/* "*0" and the like is what crypt itself says when it fails */
	if (hash.len < 2 || hash.s[0] == '*' || hash.s[0] == '!')
		hash = span_of(NOBODY_SETTING);
	str_copy(&setting, hash);
	errno = 0;
	made = crypt(password, setting.s);
	right = made != NULL && made[0] != '*' && is_same(span_of(made), hash);
	str_free(&setting);
	return right;
}

/* The user's entry, if the password is right; else the end. */
static struct password_entry
authenticate(struct span user, const char *password)
{
	struct password_entry entry = {.has_ids = false};
	enum password_result found = PASSWORD_NO_USER;
	bool right;

	if (user.len > 0 && user.len <= PASSWORD_USER_MAX)
		found =
		    password_file_find(str_span(&checkpass.text), user, &entry);
	right = is_right(
	    found == PASSWORD_FOUND ? entry.hash : (struct span){"", 0},
	    password);
	if (found == PASSWORD_BAD_LINE)
		die_temp("%s: the line of %s makes no sense", PASSWORD_PATH,
		    quote_span(user));
	if (!right)
		_exit(EXIT_REJECTED);
	return entry;
}

/* users/NAME of the home, or the entry's own; always an absolute path, which
   is what HOME has to be. */
static void
find_home(
    const struct password_entry *entry, struct span user, struct str *home)
{
	if (entry->home.len > 0) {
		str_clear(home);
		if (entry->home.s[0] != '/')
			str_format(home, "%s/", control_home_path());
		str_append_span(home, entry->home);
		return;
	}
	if (user.s[0] == '.' || span_find(user, '/') != SPAN_NONE)
		die_temp(
		    "%s: %s needs a home", PASSWORD_PATH, quote_span(user));
	str_copy(home, span_of(control_home_path()));
	str_append_cstr(home, "/users/");
	str_append_span(home, user);
}

static void
become(const struct password_entry *entry, struct span user)
{
	uid_t uid = entry->has_ids ? (uid_t)entry->uid : getuid();
	gid_t gid = entry->has_ids ? (gid_t)entry->gid : getgid();
	struct str home = STR_INIT, name = STR_INIT;

	if (uid == 0 || gid == 0)
		die_temp("%s: I do not log in root, nor its group: %s",
		    PASSWORD_PATH, quote_span(user));
	find_home(entry, user, &home);
	if (privilege_drop(uid, gid) == -1)
		die_sys("cannot become uid %lu", (unsigned long)uid);
	if (chdir(home.s) == -1)
		die_sys("cannot change to %s", quote(home.s));
	str_copy(&name, user);
	if (setenv("USER", name.s, 1) == -1 ||
	    setenv("HOME", home.s, 1) == -1 ||
	    setenv("SHELL", "/bin/sh", 1) == -1)
		die_sys("cannot set the environment");
	str_free(&name);
	str_free(&home);
}

static void
forget(void)
{
	volatile char *at = checkpass.secret; /* or the stores are left out */

	for (size_t i = 0; i < sizeof(checkpass.secret); i++)
		at[i] = '\0';
}

static NORETURN void
check(char **program)
{
	struct span rest, user, password;
	struct password_entry entry;

	checkpass.secret_len =
	    read_all(3, checkpass.secret, sizeof(checkpass.secret));
	fd_close(3);
	rest = (struct span){checkpass.secret, checkpass.secret_len};
	user = take_secret(&rest);
	password = take_secret(&rest);
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	read_password_file();
	entry = authenticate(user, password.s);
	become(&entry, user);
	forget();
	execvp(program[0], program);
	die_sys("cannot run %s", quote(program[0]));
}

/* Prints a hash of the line on descriptor 0 with a new salt. */
static int
make_hash(void)
{
	static const char letters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	char random[SALT_LEN], setting[3 + SALT_LEN + 1] = "$6$";
	char password[SECRET_MAX + 1];
	size_t len = 0;
	const char *made;

	if (random_fill(random, sizeof(random)) == -1)
		die_sys("cannot read /dev/urandom");
	for (size_t i = 0; i < SALT_LEN; i++)
		setting[3 + i] = letters[(unsigned char)random[i] & 63];
	setting[3 + SALT_LEN] = '\0';
	while (len < SECRET_MAX && read(0, password + len, 1) == 1 &&
	    password[len] != '\n')
		len++;
	if (len == 0 || len == SECRET_MAX || memchr(password, '\0', len))
		die_perm("give a password in one line on descriptor 0");
	password[len] = '\0';
	made = crypt(password, setting);
	if (made == NULL || made[0] == '*')
		die_sys("cannot hash");
	if (fd_write_all(1, made, strlen(made)) == -1 ||
	    fd_write_all(1, "\n", 1) == -1)
		die_sys("cannot write the hash");
	return 0;
}

int
main(int argc, char **argv)
{
	die_init("qmail-checkpass");
	if (argc == 2 && strcmp(argv[1], "-c") == 0)
		return make_hash();
	if (argc < 2)
		misuse("usage: qmail-checkpass program [argument ...]");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	check(argv + 1);
}
