/*
 * services - the service directories of a home, for svscan
 *
 * service/queue, send and those of the servers that are wanted, each with run
 * and log/run, and log/queue and so on for what multilog writes; beside them
 * in control/ the rules of each server, tcp.NAME, and a Makefile that compiles
 * them. All are the administrator's to edit; what exists is never changed.
 */
#ifndef ADMIN_SERVICES_H
#define ADMIN_SERVICES_H

#include <stdbool.h>
#include <sys/types.h>

#include "admin/place.h"
#include "base/attr.h"
#include "base/span.h"

/* The servers; services_server_name says what each is called. */
enum {
	SERVICES_SMTPD,
	SERVICES_SUBMISSION,
	SERVICES_POP3D,
	SERVICES_QMTPD,
	SERVICES_QMQPD,
	SERVICES_SERVERS, /* how many */
};

struct services {
	const char *home;    /* absolute; neither ':' nor LF in it */
	const char *bin;     /* where the programs are; likewise */
	const char *host;    /* for qmail-popup's banner */
	const char *address; /* to listen on */
	/* TCP ports; 0: that service is not made. */
	unsigned long port[SERVICES_SERVERS];
	/* Without it a new service gets the file down: supervise does not
	   start it by itself. */
	bool is_up[SERVICES_SERVERS];
	/* The accounts of tcpserver and multilog; NULL: all is one user's. */
	const char *server_user, *log_user;
	const struct place *place, *log_place;
};

const char *services_server_name(size_t server);
/* The protocol's name in options: "smtp" of smtpd. */
const char *services_server_protocol(size_t server);
/* The port that IANA gave its protocol. */
unsigned long services_server_port(size_t server);
/* The number of the server of that name, or -1. */
MUST_USE int services_server_find(struct span name);

/* In the home. */
void services_make(const struct services *services);

#endif
