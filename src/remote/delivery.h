/*
 * delivery - one message to one host: the route, the servers, the dialogue
 *
 * Reads control/ at delivery_load only; uses run/tcpto. The connection stays
 * open after a delivery, for the next one to the same host.
 */
#ifndef REMOTE_DELIVERY_H
#define REMOTE_DELIVERY_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "conf/control.h"
#include "net/dns.h"
#include "net/ip.h"
#include "net/outgoing.h"
#include "remote/qmtp_client.h"
#include "remote/smtp_client.h"
#include "remote/verdict.h"

enum {
	/* one delivery: addresses that are connected to, and for how long new
	   ones are */
	DELIVERY_CONNECTS_MAX = 20,
	DELIVERY_SEARCH_S = 1800,
	/* to connect by QMTP where SMTP is there as well, or
	   control/timeoutconnect if that is less */
	DELIVERY_QMTP_CONNECT_S = 10,
};

struct delivery {
	struct str helohost;
	struct control_table routes, qmtp_routes;
	unsigned timeout_connect_s;
	struct outgoing outgoing;
	struct ip_own own;
	struct dns *dns;
	struct smtp_client client;
	struct qmtp_client qmtp;
	struct str host; /* that one of the clients is connected for */
};

/* Reads the control files of the current directory. NULL, or what is wrong:
   static, to be followed by " (#4.3.0)". Free in both cases. */
MUST_USE const char *delivery_load(struct delivery *delivery);
void delivery_free(struct delivery *delivery);
/* Another number after a control file of the current directory changed. */
uint64_t delivery_stamp(void);

/*
 * Delivers the message on fd (borrowed) from sender to the recipients that
 * verdict names, at host, and fills verdict. A connection that is open for the
 * same host is used again; one for another host is closed.
 */
void delivery_run(struct delivery *delivery, struct span host,
    struct span sender, int fd, struct verdict *verdict);
/* Ends an open connection; by SMTP with QUIT. */
void delivery_finish(struct delivery *delivery);

#endif
