#include "queue/control_request.h"

#include <stdbool.h>

#include "mail/netstring.h"

enum fields {
	FIELDS_NONE,
	FIELDS_ID,
	FIELDS_INDEX, /* id, index */
	FIELDS_TEXT,  /* id, index, text */
	FIELDS_LIST,  /* any number */
};

static int
take_list(struct span *packet, struct span *list)
{
	struct span one;

	*list = *packet;
	while (packet->len > 0) {
		if (netstring_take(packet, &one) == -1)
			return -1;
	}
	return 0;
}

static int
take_fields(
    struct span *packet, enum fields fields, struct control_request *request)
{
	if (fields == FIELDS_LIST)
		return take_list(packet, &request->list);
	if (fields >= FIELDS_ID &&
	    netstring_take_u64(packet, &request->id) == -1)
		return -1;
	if (fields >= FIELDS_INDEX &&
	    netstring_take_u64(packet, &request->index) == -1)
		return -1;
	if (fields >= FIELDS_TEXT &&
	    netstring_take(packet, &request->text) == -1)
		return -1;
	return 0;
}

static bool
may_share(enum control_kind kind)
{
	return kind == CONTROL_DONE || kind == CONTROL_FAILED ||
	    kind == CONTROL_RETIRE;
}

int
control_request_decode(struct span packet, struct control_request *request)
{
	static const struct {
		char letter;
		enum control_kind kind;
		enum fields fields;
	} table[] = {
	    {'S', CONTROL_SUBSCRIBE, FIELDS_NONE},
	    {'D', CONTROL_DONE, FIELDS_INDEX},
	    {'F', CONTROL_FAILED, FIELDS_TEXT},
	    {'R', CONTROL_RETIRE, FIELDS_ID},
	    {'B', CONTROL_BARRIER, FIELDS_ID},
	    {'O', CONTROL_ORDER, FIELDS_LIST},
	    {'U', CONTROL_UNDO, FIELDS_LIST},
	    {'Q', CONTROL_LIST, FIELDS_NONE},
	    {'T', CONTROL_TRY_NOW, FIELDS_LIST},
	};
	size_t size = packet.len;
	struct span letter;

	*request = (struct control_request){
	    .text = {"", 0}, .list = {"", 0}, .rest = {"", 0}};
	if (netstring_take(&packet, &letter) == -1 || letter.len != 1)
		return -1;
	for (size_t i = 0; i < COUNT(table); i++) {
		if (table[i].letter != letter.s[0])
			continue;
		request->kind = table[i].kind;
		if (take_fields(&packet, table[i].fields, request) == -1)
			return -1;
		request->rest = packet;
		return packet.len == 0 ||
			(may_share(request->kind) && size <= CONTROL_SHARED_MAX)
		    ? 0
		    : -1;
	}
	return -1;
}
