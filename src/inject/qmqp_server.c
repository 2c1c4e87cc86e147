#include "inject/qmqp_server.h"

#include "base/num.h"

/* What follows an address: nothing, or a port. is_strict: nothing else. */
static int
parse_port(struct span rest, bool is_strict, unsigned *port)
{
	uint64_t number;

	*port = QMQP_PORT;
	if (rest.len == 0)
		return 0;
	if (rest.s[0] != ':')
		return is_strict ? -1 : 0;
	if (num_parse_u64(span_from(rest, 1), &number) == -1 || number == 0 ||
	    number > 65535)
		return -1;
	*port = (unsigned)number;
	return 0;
}

/* How many bytes at the start of word are digits and dots. */
static size_t
dotted_length(struct span word)
{
	size_t len = 0;

	while (len < word.len &&
	    ((word.s[len] >= '0' && word.s[len] <= '9') || word.s[len] == '.'))
		len++;
	return len;
}

int
qmqp_server_parse(struct span line, struct qmqp_server *server)
{
	struct span word = line;
	size_t end;

	for (end = 0; end < line.len; end++) {
		if (line.s[end] == ' ' || line.s[end] == '\t')
			break;
	}
	word = span_until(line, end);
	end = span_find(word, ']');
	if (word.len > 0 && word.s[0] == '[') {
		if (end == SPAN_NONE ||
		    ip_parse_literal(span_until(word, end + 1), &server->ip) ==
			-1)
			return -1;
		return parse_port(
		    span_from(word, end + 1), true, &server->port);
	}
	end = dotted_length(word);
	if (ip_parse(span_until(word, end), &server->ip) == 0)
		return parse_port(span_from(word, end), false, &server->port);
	server->port = QMQP_PORT;
	return ip_parse(word, &server->ip);
}
