/*
 * argument - checks what qmail-conf was given; what is wrong ends the program
 * with 100 and words that name it
 */
#ifndef ADMIN_ARGUMENT_H
#define ADMIN_ARGUMENT_H

enum {
	ARGUMENT_HOST_MAX = 253, /* bytes of a host name */
};

/* Letters, digits, dots and dashes, in the order that names have. */
void argument_check_host(const char *host);
/* A name that users/assign, a path and an address take without quoting. */
void argument_check_user(const char *user);
/* Paths go into users/assign, PATH and scripts, which know no escapes: no
   colon, no line end. */
void argument_check_path(const char *path);
/* 1 to 65535; option is named in the complaint. */
unsigned long argument_parse_port(const char *option, const char *text);

#endif
