/*
 * argument - checks what qmail-conf was given; what is wrong ends the program
 * with 100 and words that name it
 */
#ifndef ADMIN_ARGUMENT_H
#define ADMIN_ARGUMENT_H

#include <stdbool.h>

#include "base/attr.h"

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
/*
 * If option is --PROTOCOL-port of a server (services.h), its element of
 * ports[SERVICES_SERVERS] is set; else false.
 */
MUST_USE bool argument_parse_ports(
    const char *option, const char *text, unsigned long *ports);
/* No two of ports[SERVICES_SERVERS] may be the same, but for 0. */
void argument_check_ports(const unsigned long *ports);
/* Names with commas between them, or "none", into chosen[SERVICES_SERVERS]. */
void argument_parse_services(const char *list, bool *chosen);

#endif
