/*
 * check_parts - what qmail-check looks at, one part of an installation a call
 *
 * Each call adds its findings to the report. Paths are relative to the home,
 * which must be the working directory. Nothing is written, nothing is locked:
 * the system goes on working meanwhile.
 */
#ifndef ADMIN_CHECK_PARTS_H
#define ADMIN_CHECK_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "admin/check_report.h"
#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	CHECK_FILE_MAX = 64 * 1024 * 1024, /* bytes of a file that is read */
};

struct check_site {
	bool alone; /* the home of an ordinary user, who is all accounts */
	uid_t uid;  /* whose it is */
};

/* Types, owners, groups and modes, as the table compiled in has them. */
void check_privileges(
    struct check_report *report, const struct check_site *site);
/* The files of control/, each alone and all together; users/cdb. */
void check_control(struct check_report *report, const struct check_site *site);
/* The lists that a program compiles into a database, each with its cdb. */
void check_compiled(struct check_report *report);
/* The rules of tcpserver, which must not be newer than their cdb. */
void check_rules(struct check_report *report);
/* users/assign and users/cdb, the homes that they name, alias/. */
void check_users(struct check_report *report);
/* The same of the home of one user; -1 if there is none of that name. */
MUST_USE int check_user(struct check_report *report, const char *name);
/* Is qmail-queued there? */
void check_daemons(struct check_report *report);
/* The plain files of the queue. A process of root becomes the owner of queue/
   for good. */
void check_queue(struct check_report *report);
/* The names of control/me and control/smtproutes. Strangers' servers answer:
   not for root. */
void check_dns(struct check_report *report);

/*
 * Replaces *text by a whole regular file and fills *st. 1, 0 if it is not
 * there, -1 with errno.
 */
MUST_USE int check_file_read(
    const char *path, struct str *text, struct stat *st);
/* The number of records in a cdb's file. */
uint64_t check_cdb_count(struct span file);
/* True if a was changed after b. */
bool check_is_newer(const struct stat *a, const struct stat *b);

/* One message, as its files are; a file that is not there has s NULL. */
struct check_message {
	uint64_t id, mess_bytes;
	bool has_mess;
	struct span env, done, bounce;
};

/* Adds what is wrong about it. Pure. */
void check_message(
    struct check_report *report, const struct check_message *message);

#endif
