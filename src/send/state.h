/*
 * state - everything that the scheduler knows, in one place
 *
 * One struct, made by qmail-send.c and worked on by life (what becomes of a
 * message) and delivery (passes and jobs).
 */
#ifndef SEND_STATE_H
#define SEND_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "send/bounce_helper.h"
#include "send/channel.h"
#include "send/hosts.h"
#include "send/id_queue.h"
#include "send/message_log.h"
#include "send/orders.h"
#include "send/queue_link.h"
#include "send/queue_scan.h"
#include "send/schedule.h"
#include "send/settings.h"
#include "send/settling.h"

/* Who may have something to say; all, if waiting has not told better. */
struct ready {
	bool signals, queue, helpers, channels[CHANNELS];
};

struct state {
	struct settings settings;
	unsigned generation; /* grows with each rereading of the tables */
	struct schedule schedule;
	struct settling settling;
	struct hosts hosts;
	struct channel channels[CHANNELS];
	size_t old_passes; /* made with tables that are not the present ones */
	struct queue_link link;
	struct orders orders;
	unsigned orders_connection; /* of the link, that orders.next is from */
	struct queue_scan scan;
	struct queue_coverage coverage;
	bool subscribed_once;
	bool flush_found; /* ALRM came during a walk: what it finds is due */
	struct id_queue barriers; /* messages that wait for their barrier */
	struct bounce_helpers bounces;
	struct message_log log;
	int queue_dir;
	uint64_t deliveries; /* counted for the log */
	int64_t now_s, now_ms;
	int64_t started_ms;
	size_t deferred;     /* recipients in this turn, without a job */
	int64_t farewell_ms; /* 0; then when to go even if the queue is dumb */
	struct ready ready;  /* made by waiting_wait */
	int signals;         /* the pipe of base/sig.h */
	int lifeline;        /* or -1: there is none any more */
	bool exiting;
	int exit_code;
	struct str env, done, packet; /* for reuse, no meaning between calls */
};

#endif
