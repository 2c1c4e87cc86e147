/*
 * qmail-conf - make what an instance of the mail system needs, once
 * Runs as: the caller: an ordinary user for an instance of his own, root for
 *          the system's
 * Trusts:  its arguments
 * Reads:   control/me
 * Writes:  control/, queue/, run/, alias/, users/, service/, log/ and the link
 *          bin; never over a file that exists
 * Exit:    0 all is there; 100 wrong usage, or something is in the way; 111
 *          failed, safe to run again
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/argument.h"
#include "admin/instance_user.h"
#include "admin/place.h"
#include "admin/services.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/str.h"
#include "conf/control.h"
#include "config.h"

#define SYNOPSIS                                                               \
	"qmail-conf instance DIR --host NAME --smtp-port N --pop3-port N "     \
	"[--user NAME] | qmail-conf system [--host NAME] [--services LIST]; "  \
	"both: [--smtp-port N] [--submission-port N] [--pop3-port N] "         \
	"[--qmtp-port N] [--qmqp-port N]"

enum {
	PATH_SIZE = 4096, /* bytes; longer paths are refused */
};

struct arguments {
	bool system;
	const char *dir, *host, *user;
	unsigned long port[SERVICES_SERVERS]; /* 0: not given */
	bool is_up[SERVICES_SERVERS];
};

static const struct place plain = {false, 0, 0};

static void
parse_option(struct arguments *args, const char *option, const char *value)
{
	if (strcmp(option, "--host") == 0) {
		argument_check_host(value);
		args->host = value;
	} else if (strcmp(option, "--user") == 0 && !args->system) {
		argument_check_user(value);
		args->user = value;
	} else if ((strcmp(option, "--services") == 0 ||
		       strcmp(option, "-s") == 0) &&
	    args->system) {
		argument_parse_services(value, args->is_up);
	} else if (!argument_parse_ports(option, value, args->port)) {
		die_usage(SYNOPSIS);
	}
}

static struct arguments
parse_arguments(int argc, char **argv)
{
	struct arguments args = {.user = "test"};
	int i = 2;

	if (argc < 2)
		die_usage(SYNOPSIS);
	if (strcmp(argv[1], "system") == 0)
		args.system = true;
	else if (strcmp(argv[1], "instance") != 0 || argc < 3 ||
	    argv[2][0] == '-')
		die_usage(SYNOPSIS);
	else
		args.dir = argv[i++];
	/* what a mail server is for; the others when they are asked for */
	args.is_up[SERVICES_SMTPD] = true;
	for (; i < argc; i += 2) {
		if (i + 1 == argc)
			die_usage(SYNOPSIS);
		parse_option(&args, argv[i], argv[i + 1]);
	}
	return args;
}

/* The directory that this program lies in; the others are beside it. */
static void
find_bin(struct str *bin)
{
	char path[PATH_SIZE];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path));

	str_clear(bin);
	if (len > 0 && (size_t)len < sizeof(path) && path[0] == '/')
		str_append(bin, path, (size_t)len);
	else /* a system without /proc */
		str_append_cstr(bin, CONFIG_HOME "/bin/qmail-conf");
	str_truncate(bin, (size_t)(strrchr(bin->s, '/') - bin->s));
	argument_check_path(bin->s);
}

/* The absolute path of the current directory. */
static void
find_home(struct str *home)
{
	char path[PATH_SIZE];

	if (!getcwd(path, sizeof(path)))
		die_sys("cannot learn the current directory");
	argument_check_path(path);
	str_format(home, "%s", path);
}

static void
control_file(const char *name, const char *value)
{
	struct str path = STR_INIT, text = STR_INIT;

	str_format(&path, "control/%s", name);
	str_format(&text, "%s\n", value);
	(void)place_file(&plain, path.s, str_span(&text), 0644);
	str_free(&path);
	str_free(&text);
}

static void
make_instance(const struct arguments *args)
{
	static const char *const dirs[] = {"control", "run", "alias", "users"};
	static const char *const aliases[] = {
	    "postmaster", "mailer-daemon", "root"};
	struct str bin = STR_INIT, text = STR_INIT, home = STR_INIT;
	struct services services;

	find_bin(&bin);
	(void)place_dir(&plain, args->dir, 0755);
	if (chdir(args->dir) == -1)
		die_sys("cannot change to %s", quote(args->dir));
	find_home(&home);
	for (size_t i = 0; i < COUNT(dirs); i++)
		(void)place_dir(&plain, dirs[i], 0755);
	(void)place_dir(&plain, "queue", 0750);
	(void)place_link("bin", bin.s);
	control_file("me", args->host);
	control_file("defaulthost", args->host);
	control_file("locals", args->host);
	control_file("rcpthosts", args->host);
	control_file("defaultdelivery", "./Maildir/");
	control_file("concurrencyincoming", "40");
	for (size_t i = 0; i < COUNT(aliases); i++) {
		str_format(&bin, "alias/.qmail-%s", aliases[i]);
		str_format(&text, "&%s@%s\n", args->user, args->host);
		(void)place_file(&plain, bin.s, str_span(&text), 0644);
	}
	instance_user_make(&plain, home.s, args->user);
	str_format(&bin, "%s/bin", home.s);
	services = (struct services){.home = home.s,
	    .bin = bin.s,
	    .host = args->host,
	    .address = "127.0.0.1",
	    .place = &plain,
	    .log_place = &plain};
	for (size_t i = 0; i < SERVICES_SERVERS; i++) {
		services.port[i] = args->port[i];
		services.is_up[i] = true;
	}
	services_make(&services);
	str_free(&home);
	str_free(&bin);
	str_free(&text);
}

/* The name for control/me: the argument, or what the system calls itself. */
static const char *
system_host(const char *given)
{
	static char name[ARGUMENT_HOST_MAX + 2];

	if (given)
		return given;
	if (gethostname(name, sizeof(name) - 1) == -1)
		die_sys("cannot learn the name of this host");
	if (!strchr(name, '.'))
		die_perm("this host calls itself %s, without a domain: "
			 "give its full name with --host",
		    quote(name));
	argument_check_host(name);
	return name;
}

static void
make_system(const struct arguments *args)
{
	struct str bin = STR_INIT, me = STR_INIT;
	const char *home = control_home_path();
	const struct passwd *logger;
	struct place log_place = {false, 0, 0};
	struct services services;
	int found;

	argument_check_path(home);
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(home));
	if (access("control", F_OK) == -1)
		die_perm("there is no %s/control: run make install first",
		    quote(home));
	found = control_line("control/me", &me);
	if (found == -1)
		die_sys("cannot read control/me");
	if (found == 0)
		str_format(&me, "%s", system_host(args->host));
	argument_check_host(me.s);
	/* not where this program lies: that may be the build directory of an
	   ordinary user, and root will run what the services name */
	str_format(&bin, "%s/bin", home);
	control_file("me", me.s);
	logger = getpwnam(CONFIG_USER_QMAILL);
	if (!logger)
		die_perm("user " CONFIG_USER_QMAILL
			 " does not exist: run make users first");
	if (geteuid() == 0)
		log_place =
		    (struct place){true, logger->pw_uid, logger->pw_gid};
	services = (struct services){.home = home,
	    .bin = bin.s,
	    .host = me.s,
	    .address = "0",
	    .server_user = CONFIG_USER_QMAILD,
	    .log_user = CONFIG_USER_QMAILL,
	    .place = &plain,
	    .log_place = &log_place};
	for (size_t i = 0; i < SERVICES_SERVERS; i++) {
		services.port[i] = args->port[i];
		services.is_up[i] = args->is_up[i];
	}
	services_make(&services);
	str_free(&bin);
	str_free(&me);
}

int
main(int argc, char **argv)
{
	struct arguments args;

	die_init("qmail-conf");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	(void)umask(022);
	args = parse_arguments(argc, argv);
	for (size_t i = 0; args.system && i < SERVICES_SERVERS; i++)
		if (args.port[i] == 0)
			args.port[i] = services_server_port(i);
	argument_check_ports(args.port);
	if (args.system) {
		make_system(&args);
	} else {
		if (!args.host || !args.port[SERVICES_SMTPD] ||
		    !args.port[SERVICES_POP3D])
			die_usage(SYNOPSIS);
		if (geteuid() == 0)
			die_perm("an instance is run by its owner, and mail is "
				 "never delivered as root: be an ordinary "
				 "user");
		make_instance(&args);
	}
	if (fflush(stdout) == EOF)
		die_sys("cannot write to standard output");
	return EXIT_OK;
}
